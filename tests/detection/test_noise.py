"""Noise that was drawn is found again, whatever a few anomalies do."""

import numpy as np
import pytest

from hyperspy_cvae.detection import Noise, estimate_noise
from hyperspy_cvae.phantoms import Detector


@pytest.fixture
def electrons() -> np.ndarray:
    rows = np.linspace(0.2, 3, 60)[:, None]
    return (rows * np.linspace(60, 5, 300)).astype(np.float32)


@pytest.mark.parametrize(("gain", "read_noise"), [(1, 0), (2, 6), (0.5, 1), (12, 30)])
def test_gain_and_read_noise(electrons: np.ndarray, gain: float, read_noise: float) -> None:
    detector = Detector(gain=gain, read_noise=read_noise, dark=0, correlation=0)
    rng = np.random.default_rng(1)
    noise = estimate_noise(detector.record(electrons, rng), detector.expected(electrons))
    assert noise.gain == pytest.approx(gain, rel=0.1)
    assert noise.read_noise == pytest.approx(read_noise, rel=0.15, abs=gain)


def test_correlated_channels(electrons: np.ndarray) -> None:
    """Light that spreads over the neighbours takes (1 - 2a)^2 + 2a^2 of the variance."""
    detector = Detector(gain=3, read_noise=0, dark=0, correlation=0.4)
    rng = np.random.default_rng(2)
    noise = estimate_noise(detector.record(electrons, rng), detector.expected(electrons))
    share = detector.spread
    assert noise.gain == pytest.approx(3 * ((1 - 2 * share) ** 2 + 2 * share**2), rel=0.1)


def test_anomalies_hardly_change_it(electrons: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson(electrons).astype(np.float32)
    counts[:, ::20] *= 3
    assert estimate_noise(counts, electrons).gain == pytest.approx(1, rel=0.15)


def test_no_noise() -> None:
    expected = np.linspace(0, 10, 100)
    assert estimate_noise(expected, expected) == Noise(0.0, 0.0)


def test_every_channel_is_seen() -> None:
    """Large cubes are thinned out, but not so that the same channels are left out always."""
    expected = np.full((2100, 2000), 100.0, np.float32)
    measured = np.random.default_rng(4).normal(expected, 10).astype(np.float32)
    measured[:, 1::2] = np.random.default_rng(5).normal(100, 20, (2100, 1000))
    variance = estimate_noise(measured, expected).variance(np.array(100.0))
    assert 120 < variance < 380


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"expected has the shape \(50,\), but measured has"):
        estimate_noise(np.ones(60), np.ones(50))
    with pytest.raises(ValueError, match="measured holds 3 counts"):
        estimate_noise(np.ones(3), np.ones(3))
