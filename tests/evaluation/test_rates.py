"""How much is found, where the answer is known; and a sweep over sizes."""

import numpy as np
import pytest

from hyperspy_cvae.evaluation import Shift, near, rates, smallest_found, sweep


def test_what_was_anomalous_before_is_neither_found_nor_bulk() -> None:
    discs = np.zeros((6, 20), int)
    discs[1:3, 1:3], discs[1:3, 8:10] = 1, 2
    scores = np.zeros((6, 20))
    scores[discs == 1] = -8
    scores[4, 4], scores[4, 15] = -9, -7
    scores[5] = np.nan
    known = np.zeros((6, 20), bool)
    known[4, 4] = True
    found = rates(discs, scores, scores < -5, known)
    assert (found.discs, found.discs_found) == (2, 1)
    assert (found.pixels, found.pixels_found) == (8, 4)
    assert found.bulk_flagged == 1
    # Five are below -5, of which the first four are discs; the others are ranked like the rest,
    # without the last row, the one known, and those near the discs.
    rest = found.pixels + np.count_nonzero(~near(discs > 0)[:5]) - 1
    assert found.average_precision == pytest.approx(0.5 + 0.5 * 8 / rest)


def test_the_rim_of_a_disc_is_neither_disc_nor_bulk() -> None:
    discs = np.zeros((1, 20), int)
    discs[0, 8:11] = 1
    scores = -np.exp(-0.5 * np.square(np.arange(20.0) - 8) / 4)[np.newaxis]
    mask = scores < -0.5
    assert mask.sum() > np.count_nonzero(mask & (discs > 0))
    found = rates(discs, scores, mask, np.zeros((1, 20), bool))
    assert found.bulk_flagged == 0
    assert found.average_precision == 1


def test_half_of_a_disc_is_found() -> None:
    discs = np.array([[1, 1, 1, 1, 0, 0]])
    scores = -np.arange(6.0)[np.newaxis]
    nothing = np.zeros((1, 6), bool)
    for number, found in ((1, 0), (2, 1)):
        mask = np.arange(6)[np.newaxis] < number
        assert rates(discs, scores, mask, nothing).discs_found == found


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ((1.0, 1.0, 1.0), 1.0),
        ((1.0, 0.4, 0.5), 4.0),
        ((0.0, 0.5, 1.0), 2.0),
        ((1.0, 1.0, 0.4), np.nan),
        ((0.0, 0.0, 0.0), np.nan),
    ],
)
def test_all_larger_ones_are_found_as_well(share: tuple[float, ...], expected: float) -> None:
    smallest = smallest_found(np.array([1.0, 2.0, 4.0]), np.array(share))
    np.testing.assert_equal(smallest, expected)


def test_a_sweep_injects_into_the_discs_alone() -> None:
    cube = np.random.default_rng(0).poisson(30, (12, 14, 20)).astype(np.float32)
    before = cube.copy()
    places = [np.zeros((12, 14), int) for _ in range(2)]
    places[0][2:5, 2:5], places[1][7:9, 10:12] = 1, 1
    seen = []

    def find(injected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        changed = (injected != before).any(-1)
        seen.append(changed)
        return -changed.astype(float), changed

    nothing = np.zeros((12, 14), bool)
    table = sweep(cube, cube, Shift(np.ones(20, bool), 0.5), [0.0, 1.0], places, find, nothing)
    assert np.array_equal(cube, before)
    assert [each.sum() for each in seen] == [0, 0, 9, 4]
    assert list(table["size"]) == [0.0, 1.0]
    assert list(table["scans"]) == [2, 2]
    assert list(table["discs_found"]) == [0, 2]
    assert list(table["pixels"]) == [13, 13]
    assert list(table["pixels_found"]) == [0, 13]
    assert table["average_precision"][1] == 1
