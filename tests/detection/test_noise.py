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
    assert noise.read_noise == pytest.approx(read_noise, rel=0.15, abs=0.5 * gain)


@pytest.mark.parametrize("low", [0.05, 0.5, 2])
def test_few_electrons(low: float) -> None:
    """Most counts are 0 or 1, whose median absolute deviation is 0."""
    expected = np.linspace(low, 5 * low, 200_000).reshape(1000, 200)
    measured = np.random.default_rng(6).poisson(expected)
    assert estimate_noise(measured, expected).gain == pytest.approx(1, rel=0.15)


def test_mostly_vacuum(electrons: np.ndarray) -> None:
    expected = np.concatenate([electrons, np.full((200, 300), 0.002)])
    measured = np.random.default_rng(7).poisson(expected)
    assert estimate_noise(measured, expected).gain == pytest.approx(1, rel=0.2)


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
    counts[::20] = np.roll(counts[::20], 30, axis=1)
    assert estimate_noise(counts, electrons).gain == pytest.approx(1, rel=0.15)


def test_no_noise() -> None:
    expected = np.linspace(0, 10, 100)
    assert estimate_noise(expected, expected) == Noise(0.0, 0.0)


def test_large_cubes_are_thinned_out() -> None:
    expected = np.full((2100, 2000), 100.0, np.float32)
    measured = np.random.default_rng(4).normal(expected, 10).astype(np.float32)
    assert estimate_noise(measured, expected).variance(np.array(100.0)) == pytest.approx(100, 0.03)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"expected has the shape \(50,\), but measured has"):
        estimate_noise(np.ones(60), np.ones(50))


def test_hardly_any_counts() -> None:
    for size in (1, 2, 16, 41):
        noise = estimate_noise(np.arange(float(size)), np.ones(size))
        assert np.isfinite([noise.gain, noise.read_noise]).all()
