"""Noise is told from the data, and pairs made with it are independent."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d

from hyperspy_cvae.training import Recorruption, noise_of_spectra


def spectra(
    number: int, channels: int, gain: float = 1.0, kernel: tuple[float, ...] = (1.0,), seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Two kinds of bulk mixed at random, expected and as a camera with some spread records them."""
    random = np.random.default_rng(seed)
    energy = np.linspace(0, 1, channels)
    one = 60 - 20 * energy + 40 * np.exp(-(((energy - 0.3) / 0.05) ** 2))
    other = 60 - 20 * energy + 40 * np.exp(-(((energy - 0.4) / 0.05) ** 2))
    share, dose = random.random((number, 1)), random.uniform(0.7, 1.3, (number, 1))
    expected = dose * (share * one + (1 - share) * other)
    noise = gain * (random.poisson(expected) - expected)
    return expected, expected + convolve1d(noise, kernel, axis=1, mode="wrap")


def test_counting_noise_is_told_within_a_few_per_cent() -> None:
    expected, counts = spectra(4000, 200)
    deviation, correlation = noise_of_spectra(counts.astype(np.float32))
    shape = expected.mean(0) / expected.mean(0).sum()
    np.testing.assert_allclose(deviation / np.sqrt(shape), 1, atol=0.12)
    assert np.mean(deviation / np.sqrt(shape)) == pytest.approx(1, abs=0.03)
    assert np.all(correlation[1:] < 0.02)


def test_gain_and_the_spread_of_a_camera_are_told() -> None:
    kernel = np.array([0.25, 0.5, 0.25])
    expected, counts = spectra(4000, 200, gain=3, kernel=tuple(kernel))
    deviation, correlation = noise_of_spectra(counts.astype(np.float32))
    shape = expected.mean(0) / expected.mean(0).sum()
    true = np.correlate(kernel, kernel, "full")[2:]
    assert np.mean(deviation / np.sqrt(shape)) == pytest.approx(3 * np.sqrt(true[0]), rel=0.05)
    np.testing.assert_allclose(correlation[:3], true / true[0], atol=0.06)
    assert not correlation[5:].any()


def test_what_is_foreign_to_a_few_spectra_is_no_noise() -> None:
    _, counts = spectra(4000, 200)
    usual, _ = noise_of_spectra(counts.astype(np.float32))
    counts[::25, 120:140] *= 2
    found, _ = noise_of_spectra(counts.astype(np.float32))
    np.testing.assert_allclose(found / usual, 1, atol=0.15)


def test_the_noise_of_a_pair_is_independent_and_its_mean_is_the_data() -> None:
    kernel = np.array([0.2, 0.6, 0.2])
    expected, counts = spectra(4096, 100, gain=2, kernel=tuple(kernel), seed=1)
    made = Recorruption(counts.astype(np.float32), 0.7)
    shards = torch.from_numpy(counts.astype(np.float32).reshape(1, 64, 64, 100))
    shown, target = (
        part.numpy().reshape(-1, 100) for part in made.pair(shards, np.random.default_rng(2))
    )
    in_shown, in_target = ((part - expected) / np.sqrt(expected) for part in (shown, target))
    own = (counts - expected) / np.sqrt(expected)
    variance = np.square(own).mean()
    # Also over several channels together, where noise that is correlated adds up.
    for width in (1, 5):
        one, other = (part.reshape(len(part), -1, width).sum(-1) for part in (in_shown, in_target))
        scale = np.sqrt(np.square(one).mean() * np.square(other).mean())
        assert abs((one * other).mean()) < 0.06 * scale
    assert np.square(in_shown).mean() == pytest.approx(variance * (1 + 0.7**2), rel=0.06)
    assert np.square(in_target).mean() == pytest.approx(variance * (1 + 0.7**-2), rel=0.06)
    np.testing.assert_allclose(0.7 * target + shown / 0.7, (0.7 + 1 / 0.7) * counts, rtol=1e-3)


def test_data_without_noise_stays_as_it_is() -> None:
    shapes = np.linspace(1, 2, 40) * np.linspace(0.5, 1.5, 500)[:, None]
    shards = torch.from_numpy(shapes.astype(np.float32).reshape(1, 20, 25, 40))
    made = Recorruption(shapes.astype(np.float32), 0.7)
    for part in made.pair(shards, np.random.default_rng(0)):
        torch.testing.assert_close(part, shards, rtol=1e-3, atol=0)


@pytest.mark.parametrize(("number", "channels"), [(2, 8), (5, 40), (9, 8), (40, 9)])
def test_little_data(number: int, channels: int) -> None:
    counts = np.random.default_rng(0).poisson(20, (number, channels)).astype(np.float32)
    counts[0] = 0
    deviation, correlation = noise_of_spectra(counts)
    assert deviation.shape == (channels,)
    assert np.isfinite(deviation).all()
    assert correlation[0] == 1
    shards = torch.from_numpy(counts.reshape(1, 1, number, channels))
    for part in Recorruption(counts, 0.7).pair(shards, np.random.default_rng(0)):
        assert torch.isfinite(part).all()
        assert torch.equal(part[0, 0, 0], shards[0, 0, 0])
