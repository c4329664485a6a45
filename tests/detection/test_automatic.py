"""The automatic threshold: rare and common anomalies, their edges, and nothing where is nothing."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from hyperspy_cvae.detection import Score, find_anomalies

Residuals = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def misfit(residual: np.ndarray) -> np.ndarray:
    """Return the residual score of residuals ``(energy, rows, columns)``, smoothed over a pixel."""
    return -np.square(gaussian_filter(residual, (0, 1, 1))).mean(0)


def white(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.normal(size=(20, *shape))


def uneven(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Bulk that fits less well in some parts of the scan."""
    domains = gaussian_filter(rng.normal(size=shape), 6)
    return white(rng, shape) * np.exp(0.15 * domains / domains.std())


def discs(shape: tuple[int, int], radius: float, places: list[tuple[int, int]]) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.any(
        [np.hypot(rows - row, columns - column) <= radius for row, column in places], axis=0
    )


@pytest.mark.parametrize("residuals", [white, uneven])
@pytest.mark.parametrize("shape", [(24, 24), (60, 50), (1, 300)])
def test_clean_scans_are_left_alone(residuals: Residuals, shape: tuple[int, int]) -> None:
    """No more than 5 % of them, beside twice the standard error of a count."""
    alarms = 0
    for seed in range(200):
        scores = misfit(residuals(np.random.default_rng(seed), shape))
        mask, threshold = find_anomalies(scores, "residual")
        assert mask.any() != threshold.unimodal
        alarms += mask.any()
    assert alarms <= 10 + 2 * np.sqrt(10)


@pytest.mark.parametrize(
    ("radius", "places"),
    [(1.5, [(50, 70)]), (3, [(20, 20), (70, 50)]), (7, [(20, 20), (60, 75), (75, 25)])],
    ids=["0.1 %", "0.6 %", "5 %"],
)
@pytest.mark.parametrize("residuals", [white, uneven])
def test_anomalies_of_any_share_are_found_up_to_their_edge(
    radius: float, places: list[tuple[int, int]], residuals: Residuals
) -> None:
    truth = discs((96, 96), radius, places)
    f1 = []
    for seed in range(8):
        residual = residuals(np.random.default_rng(seed), (96, 96))
        residual[:, truth] += 1.5
        mask, threshold = find_anomalies(misfit(residual), "residual")
        assert threshold.method == "auto"
        f1.append(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
        if residuals is white:
            assert label(mask)[1] == len(places)
    assert np.mean(f1) > 0.9


def test_false_discoveries_are_as_few_as_promised() -> None:
    truth = discs((96, 96), 2.5, [(20, 20), (70, 50), (40, 80)])
    false = []
    for seed in range(60):
        residual = uneven(np.random.default_rng(seed), (96, 96))
        residual[:, truth] += 1.2
        regions, count = label(find_anomalies(misfit(residual), "residual")[0])
        right = sum(truth[regions == each].any() for each in range(1, count + 1))
        false.append((count - right) / max(count, 1))
    assert np.mean(false) < 0.05 + 2 * np.std(false) / np.sqrt(60)


def test_a_smaller_rate_finds_no_more() -> None:
    truth = discs((96, 96), 2.5, [(20, 20), (70, 50), (40, 80)])
    residual = white(np.random.default_rng(1), (96, 96))
    residual[:, truth] += np.linspace(0.6, 1.5, truth.sum())
    found = [
        find_anomalies(misfit(residual), "residual", rate)[0].sum() for rate in (1e-9, 0.01, 0.3)
    ]
    assert found == sorted(found)
    assert found[-1] > found[0]


def test_many_anomalies_make_a_valley() -> None:
    truth = np.zeros((60, 60), bool)
    truth[10:30, 10:40] = True  # a sixth of the scan
    residual = white(np.random.default_rng(2), (60, 60))
    residual[:, truth] += 3
    mask, threshold = find_anomalies(misfit(residual), "residual")
    assert threshold.method == "otsu"
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.9


@pytest.mark.parametrize("score", ["pcc", "smoothed", "residual", "combined"])
def test_every_score_has_its_depth(score: Score) -> None:
    """The mask is the same whatever function of the misfit the score is."""

    def scored(squares: np.ndarray) -> np.ndarray:
        if score == "combined":
            return -np.cbrt(squares)
        return -squares if score == "residual" else 1 - squares / 100

    residual = white(np.random.default_rng(3), (64, 64))
    nothing, clean = find_anomalies(scored(-misfit(residual)), score)
    assert not nothing.any()
    # What would have been found is in units of the score, too.
    lowest = scored(-misfit(residual)).min()
    assert clean.value < lowest
    truth = discs((64, 64), 3, [(20, 30)])
    residual[:, truth] += 2
    scores = scored(-misfit(residual))
    mask, threshold = find_anomalies(scores, score)
    assert np.array_equal(mask, find_anomalies(misfit(residual), "residual")[0])
    assert scores[mask & truth].min() < threshold.value < lowest


def test_pixels_without_a_score_belong_nowhere() -> None:
    residual = white(np.random.default_rng(4), (48, 48))
    residual[:, 10:14, 10:14] += 3
    scores = misfit(residual)
    scores[:6] = np.nan
    scores[12, 12] = np.nan
    mask, _ = find_anomalies(scores, "residual")
    assert mask[10:14, 10:14].sum() == 15
    assert mask.sum() < 20


def test_where_nothing_can_be_told() -> None:
    for scores, reason in (
        (np.full((9, 9), np.nan), "No score is finite"),
        (np.full((9, 9), 0.5), "Most scores are equal"),
        (np.random.default_rng(0).normal(size=(4, 4)), "minima are too few"),
    ):
        mask, threshold = find_anomalies(scores, "combined")
        assert not mask.any()
        assert threshold.unimodal
        assert reason in threshold.reason


def test_bad_parameters() -> None:
    scores = np.zeros((9, 9))
    with pytest.raises(ValueError, match="false_discovery_rate is 5, but it is a share"):
        find_anomalies(scores, "combined", 5)
    with pytest.raises(ValueError, match="score is 'best'"):
        find_anomalies(scores, "best")  # type: ignore[arg-type]


def test_vacuum_of_equal_scores_hides_nothing() -> None:
    residual = white(np.random.default_rng(5), (48, 48))
    residual[:, 20:24, 10:14] += 2
    scores = misfit(residual)
    scores[:, 30:] = scores.max()
    mask, _ = find_anomalies(scores, "residual")
    assert mask[20:24, 10:14].mean() > 0.7
    assert mask.sum() < 24


def test_regions_that_touch_at_a_corner_are_one() -> None:
    residual = white(np.random.default_rng(6), (64, 64))
    residual[:, 20:26, 20:26] += 2
    residual[:, 26:32, 26:32] += 2
    mask, threshold = find_anomalies(misfit(residual), "residual")
    assert label(mask, np.ones((3, 3)))[1] == 1
    assert "are anomalous: 1," in threshold.reason


def test_a_second_phase_is_told_of() -> None:
    """A third of the scan is no exception; nothing is called anomalous, but not in silence."""
    scores = gaussian_filter(np.random.default_rng(0).normal(size=(60, 30)), 1.0)
    scores[20:40] -= np.linspace(2, 6, 20)[:, None]
    mask, threshold = find_anomalies(scores, "combined")
    assert not mask.any()
    share = re.search(r"But (\d+)% of the pixels are below (-[\d.]+),", threshold.reason)
    assert share
    # The limit is told with a few decimals.
    assert abs(int(share[1]) - 100 * np.mean(scores < float(share[2]))) < 1
    clean = find_anomalies(scores[:20], "combined")[1]
    assert "of the pixels are below" not in clean.reason
