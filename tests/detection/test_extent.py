"""Regions that are larger than the bulk's own, if no lower."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, label

from hyperspy_cvae.detection import (
    Threshold,
    bulk_p_values,
    extent_p_values,
    find_anomalies,
    fixed_threshold,
    large_regions,
)


def bulk(seed: int, shape: tuple[int, int] = (192, 192)) -> NDArray[np.float64]:
    return gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5)


def squares(side: int, *places: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros((192, 192), bool)
    for row, column in places:
        mask[row : row + side, column : column + side] = True
    return mask


FIVE = squares(16, (20, 30), (120, 20), (70, 130), (20, 90), (140, 105))  # 3.5 % of the scan


NOTHING = squares(12)


def found(
    scores: NDArray[np.float64], rare: NDArray[np.bool_] = NOTHING
) -> tuple[NDArray[np.bool_], Threshold]:
    """Return what is found if something is rare bulk."""

    def believed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return mask & ~binary_dilation(rare, iterations=6)

    by_depth, threshold = find_anomalies(scores, "combined")
    mask, told = large_regions(by_depth, threshold, scores, "combined", believed)
    return mask | by_depth, told


def test_faint_anomalies_that_are_the_tail_are_found_by_their_size() -> None:
    f1 = []
    for seed in range(10):
        scores = bulk(seed)
        scores[FIVE] -= 3.5 * scores.std()
        assert not find_anomalies(scores, "combined")[0].any()
        mask, threshold = found(scores)
        assert threshold.unimodal != mask.any()
        f1.append(2 * (mask & FIVE).sum() / (mask.sum() + FIVE.sum()))
    assert np.mean(f1) > 0.8


@pytest.mark.parametrize("shape", [(64, 64), (1, 3000), (192, 192)])
def test_clean_scans_are_left_alone(shape: tuple[int, int]) -> None:
    """No more than 2.5 % of them, beside twice the standard error of a count."""
    alarms = 0
    for seed in range(200):
        scores = bulk(seed, shape)
        alarms += extent_p_values(scores, "combined").min() <= 0.025
    assert alarms <= 5 + 2 * np.sqrt(5)


def test_what_is_said_of_them() -> None:
    scores = bulk(0)
    scores[FIVE] -= 0.7
    mask, threshold = found(scores)
    count = label(mask, np.ones((3, 3)))[1]
    lower = "No score is lower than the bulk's own get (p = 0."
    assert threshold.reason.startswith(lower)
    assert f" But {count} regions below" in threshold.reason
    assert "; they are called anomalous. Bulk that" in threshold.reason
    assert "nothing" not in threshold.reason
    assert threshold.method == "auto"
    assert 0 < threshold.p_value <= 0.025
    assert scores[mask].max() < threshold.value
    assert (scores < threshold.value).sum() > mask.sum()


def test_to_what_was_found_before_only_other_regions_are_added() -> None:
    scores = bulk(0)
    deep, faint = squares(12, (20, 30)), squares(12, (150, 40), (100, 60))
    scores[deep] -= 1.5
    scores[faint] -= 0.5
    before, threshold = find_anomalies(scores, "combined")
    assert before.any()
    assert not (before & faint).any()
    mask, both = found(scores)
    np.testing.assert_array_equal(mask & ~faint, before)
    assert (mask & faint).sum() > 0.7 * faint.sum()
    assert both.value == threshold.value
    assert both.reason.startswith(threshold.reason + " 2 regions below")


def test_what_is_rare_bulk_is_not_added_nor_is_one_alone() -> None:
    scores = bulk(0)
    one, other, rare = (squares(12, place) for place in ((150, 40), (100, 60), (20, 30)))
    scores[one | other | rare] -= 0.5
    mask, threshold = found(scores, rare)
    assert (mask & (one | other)).sum() > 0.7 * (one | other).sum()
    assert not (mask & rare).any()
    assert "; 2 are called anomalous. The others are rare bulk." in threshold.reason
    for left, fate in (
        (one, "but one alone may be rare bulk, as the others are."),
        (NOTHING, "but taken for rare bulk."),
    ):
        mask, threshold = found(scores, (one | other | rare) & ~left)
        assert not mask.any()
        assert threshold.unimodal
        assert "3 regions below" in threshold.reason
        assert threshold.reason.endswith(fate)
    scores = bulk(0)
    scores[one] -= 0.5
    assert found(scores)[1].reason.endswith("but one alone may be rare bulk.")


def test_of_what_is_lower_and_rare_bulk_something_is_said() -> None:
    scores = bulk(0)
    deep = squares(12, (20, 30))
    scores[deep] -= 1.5
    scores[squares(12, (150, 40), (100, 60))] -= 0.5
    by_depth, threshold = find_anomalies(scores, "combined")
    refused = replace(threshold, unimodal=True)
    mask, told = large_regions(by_depth, refused, scores, "combined", lambda each: each)
    assert mask.any()
    assert not (mask & deep).any()
    assert told.reason.startswith("What is lower than the bulk's own scores get is rare bulk.")


def test_nothing_is_added_to_what_another_method_found() -> None:
    scores = bulk(0)
    scores[FIVE] -= 0.7
    given = fixed_threshold(-5.0)
    mask, same = large_regions(scores < -5, given, scores, "combined", lambda each: each)
    assert not mask.any()
    assert same is given


@pytest.mark.parametrize("depth", [0.4, 0.6, 0.8, 3])
def test_more_than_a_quarter_of_the_scan_is_no_exception(depth: float) -> None:
    scores = bulk(0)
    scores[:, :50] -= depth
    mask, threshold = found(scores)
    assert not mask.any()
    assert threshold.unimodal


def test_where_too_few_regions_tell_of_the_bulk_nothing_is_added() -> None:
    for scores in (np.full((9, 9), np.nan), np.zeros((9, 9)), bulk(0, (12, 12))):
        mask, threshold = found(scores)
        assert not mask.any()
        assert threshold.unimodal
        assert np.isnan(extent_p_values(scores, "combined")).all()


def test_p_values_are_those_of_whole_regions() -> None:
    scores = bulk(0)
    scores[squares(12, (70, 70))] -= 0.6
    scores[:5] = np.nan
    p_values = extent_p_values(scores, "combined")
    assert np.array_equal(np.isnan(p_values), np.isnan(scores))
    lowest = p_values[70:82, 70:82].min()
    assert lowest < 0.01
    assert np.nanmin(bulk_p_values(scores, "combined")) > 0.05
    at_once = p_values == lowest
    assert label(at_once, np.ones((3, 3)))[1] == 1
    assert 100 < at_once.sum() < 200
    assert np.nanmax(p_values) == 1
