"""What each score sees, and that none calls thin places or vacuum anomalous."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from hyperspy_cvae.detection import (
    Score,
    anomalous,
    energy_bin,
    otsu_threshold,
    pearson_correlation,
    score_spectra,
)
from hyperspy_cvae.reconstruction import Mean
from hyperspy_cvae.shards import binned

ENERGY = np.arange(620, 740, 0.5)
SCORES: tuple[Score, ...] = ("pcc", "smoothed", "residual", "combined")


def edges(shift: float = 0.0, dopant: float = 0.0) -> np.ndarray:
    """Background, an Fe L edge and a faint Mn L edge before it."""
    spectrum = 40 * (ENERGY / 620) ** -3
    for line, height in ((710 + shift, 60.0), (723 + shift, 30.0), (641, 60 * dopant)):
        spectrum += height * np.exp(-0.5 * ((ENERGY - line) / 1.2) ** 2)
    return spectrum.astype(np.float32)


def scan(dose: np.ndarray, anomalous: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    truth = np.zeros(dose.shape, bool)
    truth[10:16, 20:26] = True
    expected = dose[..., None].astype(np.float32) * edges()
    electrons = expected.copy()
    electrons[truth] = dose[truth][:, None] * anomalous
    measured = np.random.default_rng(seed).poisson(electrons).astype(np.float32)
    return measured, expected, truth


def found(scores: np.ndarray, truth: np.ndarray) -> float:
    return float(average_precision_score(truth.ravel(), -scores.ravel()))


def test_pcc_is_the_plain_one() -> None:
    measured, expected, _ = scan(np.ones((40, 40)), edges(2), 1)
    scores = score_spectra(measured, expected, "pcc", 0.5)
    np.testing.assert_array_equal(scores, pearson_correlation(measured, expected))


@pytest.mark.parametrize(
    ("anomaly", "seen", "missed"),
    [
        ({"dopant": 0.25}, ("residual", "combined"), ("pcc",)),
        ({"shift": 0.4}, ("smoothed", "combined"), ("pcc",)),
    ],
)
def test_what_each_score_sees(
    anomaly: dict[str, float], seen: tuple[Score, ...], missed: tuple[Score, ...]
) -> None:
    for seed in (1, 2, 3):
        measured, expected, truth = scan(np.ones((40, 40)), edges(**anomaly), seed)
        for score in seen:
            assert found(score_spectra(measured, expected, score, 0.5), truth) > 0.8
        for score in missed:
            assert found(score_spectra(measured, expected, score, 0.5), truth) < 0.4


def test_thin_places_and_vacuum_are_not_anomalous() -> None:
    dose = np.ones((40, 40))
    dose[:, :8], dose[30:] = 0.1, 0.003
    measured, expected, truth = scan(dose, edges(2), 4)
    combined = score_spectra(measured, expected, "combined", 0.5)
    assert found(combined, truth) > 0.95
    assert found(score_spectra(measured, expected, "pcc", 0.5), truth) < 0.3


def test_stray_electrons_in_vacuum_are_not_flagged() -> None:
    for seed in (1, 2, 3):
        dose = np.ones((48, 48))
        dose[38:] = 2e-4
        measured, _, _ = scan(dose, edges(), seed)
        expected = Mean().fit(measured).reconstruct(measured)
        scores = score_spectra(measured, expected, "combined", 0.5)
        assert not anomalous(scores, otsu_threshold(scores)).any()


def test_the_borders_of_a_scan_are_like_its_middle() -> None:
    expected = np.broadcast_to(edges(), (24, 24, ENERGY.size)).astype(np.float32)
    rng = np.random.default_rng(6)
    depths = np.mean(
        [
            -score_spectra(rng.poisson(expected).astype(np.float32), expected, "combined", 0.5)
            for _ in range(40)
        ],
        axis=0,
    )
    middle, deviation = depths[6:-6, 6:-6].mean(), depths[6:-6, 6:-6].std()
    assert abs(depths[0].mean() - middle) < 4 * deviation
    assert abs(depths[[0, 0, -1, -1], [0, -1, 0, -1]].mean() - middle) < 5 * deviation


@pytest.mark.parametrize("score", SCORES)
def test_what_does_not_matter(score: Score) -> None:
    """A gain, and the type of the numbers."""
    measured, expected, _ = scan(np.ones((30, 40)), edges(1), 5)
    scores = score_spectra(measured, expected, score, 0.5)
    assert scores.shape == (30, 40)
    gained = score_spectra(1024 * measured, 1024 * expected, score, 0.5)
    np.testing.assert_allclose(gained, scores, rtol=1e-3, atol=1e-3)
    whole = score_spectra(measured.astype(np.uint16), expected, score, 0.5)
    np.testing.assert_allclose(whole, scores, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("dispersion", "channels", "bin_"),
    [(0.5, 240, 2), (float(np.float32(0.1)), 500, 10), (0.3, 1312, 3), (2.0, 100, 1), (0.1, 75, 2)],
)
def test_as_many_channels_are_summed_up_as_make_1_ev(
    dispersion: float, channels: int, bin_: int
) -> None:
    """In a range of 7.5 eV, a fifth of it."""
    assert energy_bin(dispersion, channels) == bin_


@pytest.mark.parametrize("score", ["smoothed", "residual", "combined"])
def test_channels_summed_up_beforehand_give_the_same(score: Score) -> None:
    measured, expected, _ = scan(np.ones((30, 40)), edges(1), 5)
    np.testing.assert_allclose(
        score_spectra(measured, expected, score, 0.5),
        score_spectra(binned(measured, 2), binned(expected, 2), score, 1.0),
    )


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("brightness", [0, 1, 50])
def test_pixels_that_are_not_judged_do_not_matter(score: Score, brightness: float) -> None:
    """Whatever they hold and however many they are: the rest is found as well without them."""
    dose = np.ones((60, 40))
    dose[17:] = brightness
    measured, expected, truth = scan(dose, edges(2), 6)
    judged = np.ones(dose.shape, bool)
    judged[17:] = False
    scores = score_spectra(measured, expected, score, 0.5, judged)
    assert np.array_equal(np.isnan(scores), ~judged)
    assert found(scores[:17], truth[:17]) > 0.97
    assert -20 < np.median(scores[:17]) < 1


@pytest.mark.parametrize("score", SCORES[1:])
def test_narrow_ranges_are_smoothed_less(score: Score) -> None:
    """Vibrations of a few meV: the same counts on an axis a thousand times finer."""
    measured, expected, truth = scan(np.ones((40, 40)), edges(2.5), 7)
    assert found(score_spectra(measured, expected, score, 0.5e-3), truth) > 0.8


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("kind", ["noise-free", "one pixel", "zeros", "constant", "one row"])
def test_extremes_stay_finite(score: Score, kind: str) -> None:
    measured, expected, _ = scan(np.ones((40, 40)), edges(), 6)
    if kind == "noise-free":
        measured = expected.copy()
    elif kind == "one pixel":
        measured = expected.copy()
        measured[3, 3] = edges(2)
    elif kind == "zeros":
        measured[:, 15:] = expected[:, 15:] = 0
    elif kind == "constant":
        measured, expected = (np.full_like(measured, 7) for _ in range(2))
    else:
        measured, expected = measured[:1], expected[:1]
    scores = score_spectra(measured, expected, score, 0.5)
    if kind == "constant" and score in ("pcc", "smoothed"):
        assert np.isnan(scores).all()
    elif kind == "zeros" and score in ("pcc", "smoothed"):
        assert np.isfinite(scores[:, :15]).all()
    else:
        assert np.isfinite(scores).all()
        assert np.median(scores) > -20


def test_nothing_is_judged() -> None:
    measured, expected, _ = scan(np.ones((20, 30)), edges(), 8)
    nothing = np.zeros((20, 30), bool)
    for score in SCORES:
        assert np.isnan(score_spectra(measured, expected, score, 0.5, nothing)).all()


def test_bad_input() -> None:
    cube = np.ones((4, 4, 20), np.float32)
    with pytest.raises(ValueError, match="score is 'rx': choose one of pcc, smoothed, residual"):
        score_spectra(cube, cube, "rx", 0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected has the shape \(4, 4, 19\), but measured"):
        score_spectra(cube, cube[..., 1:], "pcc", 0.5)
