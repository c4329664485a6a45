"""One verdict: what is found, where nothing is, and what makes no difference."""

from itertools import product

import numpy as np
import pytest

from hyperspy_cvae.detection import _find as find
from hyperspy_cvae.detection import find_anomalies, find_low_scores
from hyperspy_cvae.reconstruction import Mean

ENERGY = np.arange(500, 620, 1.0)


def spectrum(onset: float = 560.0, height: float = 0.5) -> np.ndarray:
    edge = height / (1 + np.exp(-(ENERGY - onset) / 1.5))
    return np.asarray((ENERGY / 500) ** -3 + edge)


def scan(
    shape: tuple[int, int] = (36, 44), dose: float = 100.0, seed: int = 0, clean: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of varying thickness, the bulk, and where the edge lies 8 eV higher."""
    rows, columns = np.indices(shape)
    thickness = 1 + 0.3 * np.sin(rows / 9) + 0.2 * columns / shape[1]
    bulk = dose * thickness[..., np.newaxis] * spectrum()
    truth = np.zeros(shape, bool)
    electrons = bulk.copy()
    if not clean:
        truth[10:14, 20:24] = truth[25:27, 6:9] = True
        electrons[truth] = dose * thickness[truth][:, np.newaxis] * spectrum(568.0)
    counts = np.random.default_rng(seed).poisson(electrons).astype(np.float32)
    return counts, bulk.astype(np.float32), truth


def everywhere(cube: np.ndarray) -> np.ndarray:
    return np.ones(cube.shape[:2], bool)


def agree(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


@pytest.mark.parametrize("dose", [10.0, 100.0, 3000.0])
@pytest.mark.parametrize("by", ["bulk", "mean", "low rank"])
def test_it_finds_what_there_is(dose: float, by: str) -> None:
    counts, bulk, truth = scan(dose=dose)
    expected = {"bulk": bulk, "mean": Mean().fit(counts).reconstruct(counts), "low rank": None}[by]
    found = find_anomalies(counts, expected, 1, everywhere(counts))
    # Where counts are few, the smaller region is not found.
    assert agree(found.mask, truth) > (0.85 if dose > 10 else 0.65)
    assert not found.threshold.unimodal
    assert found.threshold.p_value < 1e-4
    np.testing.assert_array_equal(found.mask, found.scores < found.limit)


@pytest.mark.parametrize("shape", [(5, 5), (1, 60), (20, 20), (50, 60)])
def test_clean_scans_are_silent(shape: tuple[int, int]) -> None:
    """One in twenty may be flagged by chance."""
    flagged = 0
    for dose, seed in product((0.2, 20.0, 2000.0), range(4)):
        counts, bulk, _ = scan(shape, dose, seed, clean=True)
        for expected in (bulk, None):
            found = find_anomalies(counts, expected, 1, everywhere(counts))
            flagged += found.mask.any()
            assert found.threshold.unimodal != found.mask.any()
    assert flagged <= 1
    assert found.threshold.reason.startswith("Nothing found: the most unusual place (")


def test_drift_along_a_series_is_bulk() -> None:
    onsets = np.linspace(560, 562, 100)
    electrons = 2000 * np.array([spectrum(onset) for onset in onsets])
    counts = np.random.default_rng(0).poisson(electrons).astype(np.float32)
    assert not find_anomalies(counts[np.newaxis], None, 1, np.ones((1, 100), bool)).mask.any()


def changed(kind: str) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """A scan as it is, its bulk and what is true, after something that means nothing."""
    counts, bulk, truth = scan(dose=60)
    random = np.random.default_rng(1)
    if kind == "counts scaled":
        counts, bulk = 8 * counts, 8 * bulk
    elif kind == "transposed":
        counts, bulk, truth = (np.swapaxes(each, 0, 1).copy() for each in (counts, bulk, truth))
    elif kind == "vacuum appended":
        empty = random.poisson(0.01, (12, *counts.shape[1:])).astype(np.float32)
        counts, bulk = np.concatenate([counts, empty]), np.concatenate([bulk, 0.01 + 0 * empty])
        truth = np.pad(truth, ((0, 12), (0, 0)))
    elif kind == "cropped":
        counts, bulk, truth = counts[4:22, 12:34], bulk[4:22, 12:34], truth[4:22, 12:34]
    elif kind == "rebinned":
        counts, bulk = (each.reshape(*each.shape[:2], -1, 2).sum(3) for each in (counts, bulk))
    elif kind == "rounded otherwise":
        counts = counts * (1 + 1e-6 * random.normal(size=counts.shape)).astype(np.float32)
    return counts, bulk, truth


@pytest.mark.parametrize("low_rank", [False, True])
@pytest.mark.parametrize(
    "kind",
    [
        "counts scaled",
        "transposed",
        "vacuum appended",
        "cropped",
        "rebinned",
        "rounded otherwise",
    ],
)
def test_what_means_nothing_changes_nothing(kind: str, low_rank: bool) -> None:
    counts, bulk, truth = changed(kind)
    found = find_anomalies(counts, None if low_rank else bulk, 1, everywhere(counts))
    assert agree(found.mask, truth) > 0.85
    far = np.ones_like(truth)
    for row, column in np.argwhere(truth):
        far[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = False
    assert not (found.mask & far).any()


def test_large_scans_are_judged_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, bulk, truth = scan((60, 100))
    whole = find_anomalies(counts, bulk, 1, everywhere(counts))
    monkeypatch.setattr(find, "_TILE", 1200 * ENERGY.size)
    tiles = list(find._tiles((60, 100), ENERGY.size))
    assert len(tiles) >= 4
    seen = np.zeros((60, 100), int)
    for outer, inner in tiles:
        seen[outer][inner] += 1
    assert (seen == 1).all()
    found = find_anomalies(counts, bulk, 1, everywhere(counts))
    assert found.limit == whole.limit
    assert agree(found.mask, truth) > 0.85
    long = list(find._tiles((1, 10_000), ENERGY.size))
    assert sum(inner[1].stop - inner[1].start for _, inner in long) == 10_000


def test_channels_of_large_scans_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, bulk, truth = scan()
    monkeypatch.setattr(find, "_ELEMENTS", counts.size // 3)
    seen = []
    in_tile = find._in_tile

    def watched(counts: np.ndarray, *others: object) -> object:
        seen.append(counts.shape[2])
        return in_tile(counts, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(find, "_in_tile", watched)
    for most in (8, 2):
        assert agree(find_anomalies(counts, bulk, most, everywhere(counts)).mask, truth) > 0.85
    assert seen == [40, 60]


def test_pixels_that_are_not_judged_or_dark_have_no_score() -> None:
    counts, bulk, truth = scan()
    judged = everywhere(counts)
    judged[:, :3] = False
    counts[0] = 0
    found = find_anomalies(counts, bulk, 1, judged)
    nothing = ~judged
    nothing[0] = True
    np.testing.assert_array_equal(np.isnan(found.scores), nothing)
    np.testing.assert_array_equal(np.isnan(found.p_values), nothing)
    assert agree(found.mask, truth) > 0.85
    none = find_anomalies(counts, bulk, 1, np.zeros(judged.shape, bool))
    assert np.isnan(none.scores).all()
    assert none.threshold.reason.startswith("No pixel could be judged")


def test_a_perfect_fit_is_no_anomaly() -> None:
    _, bulk, _ = scan()
    for expected in (bulk, None):
        assert not find_anomalies(bulk, expected, 1, everywhere(bulk)).mask.any()


def test_a_large_share_may_be_a_second_phase() -> None:
    counts, bulk, _ = scan((40, 40), 1000, clean=True)
    counts[10:22, 10:22] = np.random.default_rng(1).poisson(1000 * spectrum(575.0), (12, 12, 120))
    found = find_anomalies(counts, bulk, 1, everywhere(counts))
    assert found.mask[12:20, 12:20].all()
    assert "perhaps a second phase" in found.threshold.reason


def test_p_values_are_those_of_chance() -> None:
    """Of clean scans, in which no more than one in twenty may have one below .05."""
    lowest = []
    for seed in range(20):
        counts, bulk, _ = scan((24, 24), 50, seed, clean=True)
        lowest.append(np.nanmin(find_anomalies(counts, bulk, 1, everywhere(counts)).p_values))
    assert np.mean(np.array(lowest) < 0.05) <= 0.1


def test_scores_of_a_map_alone() -> None:
    scores = 1 - np.random.default_rng(0).chisquare(40, (40, 40)) / 1000
    scores[5] = np.nan
    assert not find_low_scores(scores).mask.any()
    scores[20:22, 30:32] = 0.8
    found = find_low_scores(scores)
    assert found.mask.sum() == found.mask[20:22, 30:32].sum() == 4
    assert 0.8 < found.limit < np.nanmin(scores[~found.mask])
    assert np.array_equal(np.isnan(found.p_values), np.isnan(scores))
    assert not find_low_scores(np.full((10, 10), 0.9)).mask.any()
    assert not find_low_scores(np.full((10, 10), np.nan)).mask.any()
