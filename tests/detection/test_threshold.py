"""Otsu's threshold with its guard: clean scores stay clean, a separate minority is found."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import binom
from skimage.filters import threshold_otsu

from hyperspy_cvae.detection import anomalous, fixed_threshold, otsu_threshold, pearson_correlation

Draw = Callable[[np.random.Generator, int], np.ndarray]

# None of these seeds was looked at while the guard was designed.
SEEDS = range(7000, 7020)


def bulk(
    rng: np.random.Generator, size: int, mean: float = 0.925, sd: float = 0.015, skew: float = 0.8
) -> np.ndarray:
    """Left-skewed scores of a bulk: a gamma distribution upside down."""
    shape = 4 / skew**2
    return np.minimum(mean - sd * (rng.gamma(shape, size=size) - shape) / np.sqrt(shape), 1)


def tail(rng: np.random.Generator, size: int, share: float, length: float) -> np.ndarray:
    """A bulk of which some scores trail downwards, as at blurred domain walls."""
    lower = 0.905 - rng.exponential(length, size)
    return np.where(rng.random(size) < share, lower, bulk(rng, size))


def doses(rng: np.random.Generator, size: int, share: float, lower: float) -> np.ndarray:
    """Two bulks of different dose."""
    low = bulk(rng, size, mean=lower, sd=0.02)
    return np.where(rng.random(size) < share, low, bulk(rng, size, mean=0.94, sd=0.012))


def counted(rng: np.random.Generator, dose: np.ndarray, shift: float = 0) -> np.ndarray:
    """PCC of Poisson-noisy Fe L edges with the noise-free one; dose in electrons per channel."""
    energy = np.linspace(690, 730, 60)

    def edge(shift: float) -> np.ndarray:
        lines = np.exp(-0.5 * ((energy - 709 - shift) / 1.2) ** 2)
        lines += 0.5 * np.exp(-0.5 * ((energy - 722 - shift) / 1.5) ** 2)
        return 0.5 + 0.3 / (1 + np.exp(708 + shift - energy)) + lines

    noisy = rng.poisson(dose[:, None] * edge(shift))
    return pearson_correlation(noisy, np.broadcast_to(edge(0), noisy.shape))


def wedge(rng: np.random.Generator, size: int) -> np.ndarray:
    return counted(rng, np.linspace(6, 40, size))


def columns(rng: np.random.Generator, size: int) -> np.ndarray:
    return counted(rng, 15 * (1 + 0.6 * np.cos(0.7 * np.arange(size))))


def walls(rng: np.random.Generator, size: int) -> np.ndarray:
    wall = size // 50
    parts = [counted(rng, np.full(wall, 15), shift) for shift in (0.3, 0.6, 0.9)]
    return np.concatenate([counted(rng, np.full(size - 3 * wall, 15)), *parts])


def smoothed(rng: np.random.Generator, size: int) -> np.ndarray:
    side = int(np.sqrt(size))
    field = gaussian_filter(bulk(rng, side**2).reshape(side, side), 1, mode="wrap")
    return field.ravel()


CLEAN: dict[str, Draw] = {
    "narrow": lambda rng, size: bulk(rng, size, sd=0.005),
    "ordinary": bulk,
    "wide": lambda rng, size: bulk(rng, size, sd=0.03),
    "strongly skewed": lambda rng, size: bulk(rng, size, skew=1.6),
    "symmetric": lambda rng, size: rng.normal(0.6, 0.05, size),
    "heavy tail": lambda rng, size: 0.93 - 0.012 * np.abs(rng.standard_t(3, size)),
    "short tail": lambda rng, size: tail(rng, size, 0.03, 0.03),
    "long tail": lambda rng, size: tail(rng, size, 0.03, 0.08),
    "two close doses": lambda rng, size: doses(rng, size, 0.4, 0.90),
    "two doses": lambda rng, size: doses(rng, size, 0.5, 0.87),
    "mostly low dose": lambda rng, size: doses(rng, size, 0.65, 0.87),
    "wedge": wedge,
    "atomic columns": columns,
    "domain walls": walls,
    "smoothed": smoothed,
}


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("size", [100, 1000, 4900])
def test_clean_bulk_gives_an_empty_mask(name: str, size: int) -> None:
    accepted = [
        not otsu_threshold(CLEAN[name](np.random.default_rng(seed), size)).unimodal
        for seed in SEEDS
    ]
    # alpha of 5 % allows one in twenty.
    assert sum(accepted) <= (1 if size == 100 else 0)


@pytest.mark.parametrize("name", ["narrow", "ordinary", "wide", "heavy tail", "long tail"])
def test_full_size_clean_bulk_gives_an_empty_mask(name: str) -> None:
    for seed in SEEDS[:4]:
        score = CLEAN[name](np.random.default_rng(seed), 192 * 192).reshape(192, 192)
        threshold = otsu_threshold(score)
        assert threshold.unimodal
        assert threshold.p_value > 0.05
        assert not anomalous(score, threshold).any()


def with_minority(
    seed: int, size: int, share: float, mean: float, sd: float
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.arange(size) < round(share * size)
    return np.where(truth, rng.normal(mean, sd, size), bulk(rng, size)), truth


def f1(mask: np.ndarray, truth: np.ndarray) -> float:
    return 2 * (mask & truth).sum() / (mask.sum() + truth.sum())


@pytest.mark.parametrize("sd", [0.03, 0.06])
@pytest.mark.parametrize(
    ("size", "share"), [(36864, 0.005), (36864, 0.016), (36864, 0.05), (36864, 0.2), (2500, 0.016)]
)
def test_separate_minority_is_found(size: int, share: float, sd: float) -> None:
    for seed in SEEDS[:5]:
        score, truth = with_minority(seed, size, share, 0.55, sd)
        threshold = otsu_threshold(score)
        assert not threshold.unimodal
        assert threshold.p_value < 1e-3
        assert f1(anomalous(score, threshold), truth) > 0.98


@pytest.mark.parametrize("mean", [0.70, 0.75, 0.80, 0.83])
@pytest.mark.parametrize("share", [0.001, 0.003, 0.005, 0.016, 0.05])
def test_accepted_means_right(mean: float, share: float) -> None:
    for seed in SEEDS[:5]:
        score, truth = with_minority(seed, 36864, share, mean, 0.03)
        threshold = otsu_threshold(score)
        mask = anomalous(score, threshold)
        assert not mask.any() if threshold.unimodal else f1(mask, truth) > 0.95


@pytest.mark.parametrize(("mean", "share"), [(0.55, 0.0005), (0.75, 0.005), (0.83, 0.016)])
def test_cut_through_the_bulk_is_refused(mean: float, share: float) -> None:
    score, truth = with_minority(7100, 36864, share, mean, 0.03)
    threshold = otsu_threshold(score)
    assert f1(score < threshold.value, truth) < 0.2
    assert threshold.unimodal
    assert "would cut the bulk" in threshold.reason


def test_value_is_plain_otsu() -> None:
    score, _ = with_minority(7101, 2500, 0.05, 0.6, 0.05)
    assert otsu_threshold(score).value == threshold_otsu(score, nbins=256)
    clean = bulk(np.random.default_rng(7102), 2500)
    assert otsu_threshold(clean).value == threshold_otsu(clean, nbins=256)


def test_scale_and_offset_do_not_matter() -> None:
    score, _ = with_minority(7103, 2500, 0.05, 0.6, 0.05)
    for threshold in (otsu_threshold(score), otsu_threshold(1024 * (score - 4))):
        assert not threshold.unimodal
        assert threshold.p_value == pytest.approx(otsu_threshold(score).p_value, rel=1e-6)


def test_too_large_a_minority_is_refused() -> None:
    score, _ = with_minority(7104, 2500, 0.4, 0.55, 0.05)
    threshold = otsu_threshold(score)
    assert threshold.unimodal
    assert threshold.p_value < 1e-3
    assert threshold.reason.startswith("40% of the scores lie below")


def test_alpha() -> None:
    score, _ = with_minority(7105, 300, 0.05, 0.55, 0.05)
    p_value = otsu_threshold(score).p_value
    assert 0 < p_value < 0.05
    assert not otsu_threshold(score, alpha=1.01 * p_value).unimodal
    assert otsu_threshold(score, alpha=0.99 * p_value).unimodal
    for alpha in (0, 1, -0.1, np.nan):
        with pytest.raises(ValueError, match="alpha is"):
            otsu_threshold(score, alpha=alpha)


def test_not_finite_scores_are_left_out() -> None:
    score, truth = with_minority(7106, 2500, 0.05, 0.55, 0.05)
    gaps = np.r_[score, [np.nan] * 30, -np.inf, np.inf].reshape(-1, 4)
    assert otsu_threshold(gaps) == otsu_threshold(score)
    mask = anomalous(gaps, fixed_threshold(0.7))
    assert mask.shape == gaps.shape
    np.testing.assert_array_equal(mask.ravel()[: truth.size], score < 0.7)
    assert not mask.ravel()[truth.size : -2].any()


@pytest.mark.parametrize(
    ("score", "value", "reason"),
    [
        (np.full((5, 5), np.nan), np.nan, "No score is finite"),
        (np.zeros((0, 4)), np.nan, "No score is finite"),
        (np.full(100, 0.9), 0.9, "All scores are equal, 0.9"),
        (np.zeros(100), 0, "All scores are equal, 0"),
        (1 - np.arange(100) % 3 * 1e-16, 1, "All scores are equal, 1"),
        (np.array([0.1, 0.9] * 14 + [np.nan] * 50), None, "28 scores are too few"),
    ],
)
def test_nothing_to_part(score: np.ndarray, value: float | None, reason: str) -> None:
    threshold = otsu_threshold(score)
    assert threshold.unimodal
    assert np.isnan(threshold.p_value)
    assert threshold.reason.startswith(reason)
    assert threshold.reason.endswith("so nothing is called anomalous.")
    if value is not None:
        np.testing.assert_equal(threshold.value, value)
    assert not anomalous(score, threshold).any()


def test_any_dtype() -> None:
    score, _ = with_minority(7107, 2500, 0.05, 0.55, 0.05)
    assert not otsu_threshold(score.astype("float32")).unimodal
    assert not otsu_threshold((-1000 * (1 - score)).astype("int64")).unimodal


def test_reason_reports_the_counts() -> None:
    score, _ = with_minority(7108, 2500, 0.05, 0.55, 0.05)
    threshold = otsu_threshold(score)
    counts = re.search(
        r"in a valley below 95\.0% of the scores: (\d+) scores around (\S+) against (\d+) around "
        r"(\S+) \(p",
        threshold.reason,
    )
    assert counts is not None
    valley, mode = int(counts[1]), int(counts[3])
    lower, upper = score[score < threshold.value], score[score >= threshold.value]
    width = (upper.mean() - lower.mean()) / 4
    for count, centre in ((valley, float(counts[2])), (mode, float(counts[4]))):
        # The centre is given to three digits.
        narrow = np.count_nonzero(np.abs(score - centre) < width / 2 - 0.002)
        assert narrow <= count <= np.count_nonzero(np.abs(score - centre) < width / 2 + 0.002)
    windows = (upper.mean() - score.min()) / width
    expected = windows * binom.cdf(valley, valley + mode, 0.5)
    assert threshold.p_value == pytest.approx(expected, rel=1e-9)


def test_valley_elsewhere_is_named() -> None:
    score, truth = with_minority(7109, 36864, 0.005, 0.75, 0.03)
    threshold = otsu_threshold(score)
    assert threshold.unimodal
    valley = re.search(r"threshold=(\S+) would cut there\.$", threshold.reason)
    assert valley is not None
    assert f1(anomalous(score, fixed_threshold(float(valley[1]))), truth) > 0.95


def test_valley_between_close_scores_is_named_with_enough_digits() -> None:
    score, truth = with_minority(7100, 36864, 0.005, 0.75, 0.03)
    reason = otsu_threshold(1 - (1 - score) * 0.002).reason
    valley = re.search(r"threshold=([\d.]+) would", reason)
    assert valley, reason
    assert f1(1 - (1 - score) * 0.002 < float(valley[1]), truth) > 0.9


def test_scores_that_rise_from_minority_to_bulk() -> None:
    """Nowhere in such a valley is it emptier than on both sides, but all of it is a valley."""
    valley = np.linspace(0.4**2, 0.75**2, 200) ** 0.5
    rng = np.random.default_rng(7107)
    score = np.concatenate([np.linspace(0.1, 0.3, 400), valley, bulk(rng, 20000)])
    threshold = otsu_threshold(score)
    assert not threshold.unimodal
    assert 0.4 < threshold.value < 0.75


def test_narrow_valley_beside_a_wide_minority() -> None:
    """Anomalies that spread wide, up to a bulk that spreads too."""
    truth = np.arange(36864) < 590
    for seed in SEEDS[:5]:
        rng = np.random.default_rng(seed)
        minority = rng.triangular(0.2, 0.62, 0.78, truth.size)
        score = np.where(truth, minority, bulk(rng, truth.size, sd=0.03, skew=1.2))
        assert f1(anomalous(score, otsu_threshold(score)), truth) > 0.95


@pytest.mark.parametrize(("mean", "distance"), [(0.52, 0.15), (0.35, 0.3)])
def test_minority_of_two_kinds_is_found(mean: float, distance: float) -> None:
    """Anomalies in two domains score differently, with or without a gap between them."""
    for seed in SEEDS[:5]:
        score, truth = with_minority(seed, 36864, 0.016, mean, 0.04)
        kind = truth & (np.arange(truth.size) % 2 == 0)
        score[kind] += distance
        threshold = otsu_threshold(score)
        assert not threshold.unimodal
        assert f1(anomalous(score, threshold), truth) > 0.95


def test_fixed_threshold() -> None:
    threshold = fixed_threshold(0.75)
    assert threshold.value == 0.75
    assert threshold.method == "fixed"
    assert not threshold.unimodal
    assert threshold.reason == "The threshold 0.75 was given."
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite number"):
            fixed_threshold(value)
