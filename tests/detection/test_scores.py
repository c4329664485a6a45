"""What each score sees, and that none calls thin places or vacuum anomalous."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from hyperspy_cvae.detection import Score, pearson_correlation, score_spectra

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


@pytest.mark.parametrize("score", SCORES)
def test_what_does_not_matter(score: Score) -> None:
    """A gain, the type of the numbers, and what lies in pixels that are not judged."""
    measured, expected, _ = scan(np.ones((30, 40)), edges(1), 5)
    scores = score_spectra(measured, expected, score, 0.5)
    assert scores.shape == (30, 40)
    gained = score_spectra(1024 * measured, 1024 * expected, score, 0.5)
    np.testing.assert_allclose(gained, scores, rtol=1e-3, atol=1e-3)
    judged = np.ones((30, 40), bool)
    judged[3, 5:9] = False
    measured[~judged] = 1e4
    without = score_spectra(measured, expected, score, 0.5, judged)
    assert np.array_equal(np.isnan(without), ~judged)
    far = np.ones((30, 40), bool)
    far[:12, :20] = False
    np.testing.assert_allclose(without[far], scores[far], rtol=0.1, atol=0.1)


@pytest.mark.parametrize("score", SCORES)
def test_narrow_ranges_are_smoothed_less(score: Score) -> None:
    """Vibrations of a few meV: the same counts on an axis a thousand times finer."""
    measured, expected, truth = scan(np.ones((40, 40)), edges(2.5), 7)
    assert found(score_spectra(measured, expected, score, 0.5e-3), truth) > 0.8


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("kind", ["noise-free", "constant", "one row"])
def test_extremes_stay_finite(score: Score, kind: str) -> None:
    measured, expected, _ = scan(np.ones((40, 40)), edges(), 6)
    if kind == "noise-free":
        measured = expected.copy()
    elif kind == "constant":
        measured, expected = (np.full_like(measured, 7) for _ in range(2))
    else:
        measured, expected = measured[:1], expected[:1]
    scores = score_spectra(measured, expected, score, 0.5)
    if kind == "constant" and score in ("pcc", "smoothed"):
        assert np.isnan(scores).all()
    else:
        assert np.isfinite(scores).all()


def test_bad_input() -> None:
    cube = np.ones((4, 4, 20), np.float32)
    with pytest.raises(ValueError, match="score is 'rx': choose one of pcc, smoothed, residual"):
        score_spectra(cube, cube, "rx", 0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected has the shape \(4, 4, 19\), but measured"):
        score_spectra(cube, cube[..., 1:], "pcc", 0.5)
