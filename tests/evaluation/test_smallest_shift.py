"""The smallest shift that would have been found, where the answer is known."""

import numpy as np
import pytest

from hyperspy_cvae.detection import find_anomalies, pearson_correlation
from hyperspy_cvae.evaluation import smallest_shift

ENERGY = np.arange(690, 730, 0.5)


@pytest.fixture
def cube() -> np.ndarray:
    spectrum = 4 + 6 * np.exp(-0.5 * ((ENERGY - 710) / 1.5) ** 2)
    expected = np.broadcast_to(spectrum, (60, 60, ENERGY.size))
    return np.random.default_rng(0).poisson(expected).astype(np.float32)


def mean(cube: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.median(cube, (0, 1)), cube.shape).astype(np.float32)


def scored(cube: np.ndarray, judged: np.ndarray | None = None) -> np.ndarray:
    judged = np.ones(cube.shape[:2], bool) if judged is None else judged
    return find_anomalies(cube, mean(cube), 1, judged).scores


def test_larger_shifts_reach_lower_limits(cube: np.ndarray) -> None:
    every, judged = np.ones(ENERGY.size, bool), np.ones((60, 60), bool)
    shifts = []
    for limit in (-4.0, -7.0, -11.0):
        width, shift = smallest_shift(cube, scored, every, 0.5, judged, limit)
        assert width == 9
        shifts.append(shift)
    assert shifts == sorted(shifts)
    assert shifts[0] < shifts[-1]
    # And what it says is so.
    shifted = cube.copy()
    shifted[26:35, 26:35] = np.roll(shifted[26:35, 26:35], round(shifts[1] / 0.5), axis=-1)
    scores = scored(shifted)
    assert scores[26:35, 26:35].min() < -7


def test_nothing_reaches_an_impossible_limit(cube: np.ndarray) -> None:
    every, judged = np.ones(ENERGY.size, bool), np.ones((60, 60), bool)
    _, shift = smallest_shift(cube, scored, every, 0.5, judged, -1e6)
    assert np.isnan(shift)


def test_a_reconstruction_that_follows_everything_finds_nothing(cube: np.ndarray) -> None:
    every, judged = np.ones(ENERGY.size, bool), np.ones((60, 60), bool)

    def by_itself(cube: np.ndarray) -> np.ndarray:
        return pearson_correlation(cube, cube)

    _, shift = smallest_shift(cube, by_itself, every, 0.5, judged, 0.5)
    assert np.isnan(shift)


@pytest.mark.parametrize("shape", [(1, 60), (5, 4), (60, 60)])
def test_any_scan_and_judged_pixels_alone(cube: np.ndarray, shape: tuple[int, int]) -> None:
    part = cube[: shape[0], : shape[1]].copy()
    before = part.copy()
    judged = np.ones(shape, bool)
    judged[:, : shape[1] // 2] = False
    seen: list[np.ndarray] = []

    def watched(injected: np.ndarray) -> np.ndarray:
        seen.append((injected != before).any(-1))
        return scored(injected, judged)

    channels = ENERGY > 700
    smallest_shift(part, watched, channels, 0.5, judged, -5.0)
    assert np.array_equal(part, before)
    changed = np.any(seen, axis=0)
    assert changed.any()
    assert not changed[~judged].any()


def test_vacuum_and_gaps_do_not_matter(cube: np.ndarray) -> None:
    channels, judged = np.ones(ENERGY.size, bool), np.ones((60, 60), bool)
    _, without = smallest_shift(cube, scored, channels, 0.5, judged, -8.0)
    cube[:, 35:] = 0
    _, beside_vacuum = smallest_shift(cube, scored, channels, 0.5, judged, -8.0)
    assert beside_vacuum <= 3 * without
    # Counts move by energy, also past channels that are not compared.
    channels[30:36] = False
    seen = []

    def watched(injected: np.ndarray) -> np.ndarray:
        seen.append(injected.copy())
        return scored(injected)

    smallest_shift(cube, watched, channels, 0.5, judged, -8.0)
    row, column = np.argwhere((seen[0] != cube).any(-1))[0]
    shifted = [
        shift
        for shift in range(1, 21)
        if np.array_equal(seen[0][row, column, shift:], cube[row, column, :-shift])
    ]
    assert len(shifted) == 1


@pytest.mark.parametrize("limit", [-4.0, -6.0, -9.0])
def test_bisection_in_a_small_scan_finds_what_trying_all_finds(
    cube: np.ndarray, limit: float
) -> None:
    channels, seen = np.ones(ENERGY.size, bool), []

    def watched(injected: np.ndarray) -> np.ndarray:
        seen.append(injected)
        return scored(injected)

    part, judged = cube[:20, :20].copy(), np.ones((20, 20), bool)
    _, shift = smallest_shift(part, watched, channels, 0.5, judged, limit)
    assert len(seen) <= 4
    disc = (seen[0] != part).any(-1)
    assert all(not (each != part).any(-1)[~disc].any() for each in seen)
    reached = []
    for moved in range(1, 21):
        injected = part.copy()
        injected[disc, moved:] = part[disc, :-moved]
        scores = scored(injected)
        reached.append(np.nanmin(scores[disc]) <= limit)
    tried = np.unique(np.rint(np.geomspace(1, 20, 8)).astype(int))
    smallest = next((each for each in tried if reached[each - 1]), np.nan)
    assert shift == pytest.approx(0.5 * smallest, nan_ok=True)
