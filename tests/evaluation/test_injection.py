"""What is injected: counts that are where they were, moved or more, with the right noise."""

import numpy as np
import pytest

from hyperspy_cvae.detection import estimate_noise
from hyperspy_cvae.evaluation import Addition, Shift, edge_profile, peak_profile, shifted


def test_a_shift_moves_recorded_counts_and_nothing_outside_the_range() -> None:
    spectra = np.random.default_rng(0).poisson(50, (7, 30)).astype(np.float32)
    before = spectra.copy()
    channels = np.zeros(30, bool)
    channels[5:25] = True
    channels[12:14] = False  # dead ones; the counts move past them
    moved = shifted(spectra, channels, 4)
    np.testing.assert_array_equal(moved[:, 9:25], spectra[:, 5:21])
    np.testing.assert_array_equal(moved[:, :9], spectra[:, :9])
    np.testing.assert_array_equal(moved[:, 25:], spectra[:, 25:])
    np.testing.assert_array_equal(spectra, before)


@pytest.mark.parametrize(("size", "channels"), [(0.0, 0), (0.9, 2), (1.1, 2), (1.4, 3)])
def test_shifts_are_whole_channels(size: float, channels: int) -> None:
    spectra = np.arange(40, dtype=np.float32).reshape(2, 20)
    every = np.ones(20, bool)
    moved = Shift(every, 0.5)(spectra, spectra, size, np.random.default_rng(0))
    np.testing.assert_array_equal(moved, shifted(spectra, every, channels))


@pytest.mark.parametrize("gain", [0.4, 1.0, 3.0])
def test_added_counts_have_the_size_and_the_noise_that_was_asked_for(gain: float) -> None:
    random = np.random.default_rng(1)
    expected = np.full((60_000, 9), 40, np.float32)
    profile = peak_profile(9, centre=4, width=3.0)
    added = Addition(profile, 4, gain)(np.zeros_like(expected), expected, 0.5, random)
    np.testing.assert_allclose(added.mean(0), 20 * profile, atol=0.2)
    np.testing.assert_allclose(added.var(0), gain * added.mean(0), rtol=0.05, atol=0.05)


def test_counts_with_an_edge_have_the_noise_of_counts_without() -> None:
    random = np.random.default_rng(2)
    bulk = np.full((4000, 50), 80, np.float32)
    recorded = 2 * random.poisson(bulk / 2).astype(np.float32)
    edge = edge_profile(50, onset=20)
    spectra = Addition(edge, 20, gain=2.0)(recorded, bulk, 0.25, random)
    assert estimate_noise(spectra, bulk * (1 + 0.25 * edge)).gain == pytest.approx(2.0, rel=0.1)


def test_nothing_is_added_of_size_zero_or_where_nothing_is_expected() -> None:
    spectra = np.random.default_rng(3).poisson(5, (4, 10)).astype(np.float32)
    for expected, size in ((spectra, 0.0), (-spectra, 1.0)):
        same = Addition(np.ones(10), 3, 1.0)(spectra, expected, size, np.random.default_rng(0))
        np.testing.assert_array_equal(same, spectra)
