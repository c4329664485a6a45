import numpy as np
import pytest

from hyperspy_cvae.phantoms import Detector, bifeo3


def record(detector: Detector, electrons: float = 20.0) -> np.ndarray:
    expected = np.full((400, 300), electrons, np.float32)
    return detector.record(expected, np.random.default_rng(5))


def test_counting_is_poisson() -> None:
    counts = record(Detector(gain=1, read_noise=0, dark=0, correlation=0))
    assert counts.dtype == np.float32
    assert np.array_equal(counts, np.round(counts))
    assert counts.var() / counts.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("correlation", [0.0, 0.25, 0.5, 0.66])
def test_variance_and_correlation_are_as_configured(correlation: float) -> None:
    detector = Detector(gain=3, read_noise=0, dark=0, correlation=correlation)
    counts = record(detector)
    share = detector.spread
    assert counts.var() / counts.mean() == pytest.approx(
        3 * (1 - 4 * share + 6 * share**2), rel=0.02
    )
    inner = counts[:, 1:-1]
    neighbours = np.corrcoef(inner[:, :-1].ravel(), inner[:, 1:].ravel())[0, 1]
    assert neighbours == pytest.approx(correlation, abs=0.01)


def test_read_noise_and_dark_give_negative_counts_of_the_right_mean() -> None:
    counts = record(Detector(gain=2, read_noise=3, dark=1), electrons=0.1)
    assert counts.min() < 0
    assert counts.mean() == pytest.approx(0.2, abs=0.05)


def test_spread_conserves_electrons() -> None:
    electrons = np.zeros((1, 9), np.float32)
    electrons[0, 4] = 7
    assert Detector(gain=1).expected(electrons).sum() == pytest.approx(7)


def test_dose_is_that_of_the_first_channel() -> None:
    phantom = bifeo3((10, 12), 60, detector=Detector(dose=8, gain=2))
    assert phantom.bulk.data[..., 0].mean() == pytest.approx(16, rel=0.01)


@pytest.mark.parametrize(
    ("parameter", "value", "sentence"),
    [
        ("dose", 0, "dose is 0; it must be above 0"),
        ("gain", -1, "gain is -1; it must be above 0"),
        ("read_noise", -1, "read_noise is -1; it must not be negative"),
        ("dark", -0.1, "dark is -0.1; it must not be negative"),
        ("correlation", 0.9, "correlation is 0.9; .* between 0 and 2/3"),
    ],
)
def test_impossible_detectors(parameter: str, value: float, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Detector(**{parameter: value})
