"""How far spectra are from what is expected, in robust standard deviations of the others."""

import dask.array as da
import numpy as np
import pytest

from hyperspy_cvae.deviations import Deviations

EVERYWHERE = np.ones((40, 40), bool)


@pytest.fixture
def expected() -> np.ndarray:
    spectra = np.broadcast_to(100 + 50 * np.cos(np.arange(80) / 9), (40, 40, 80))
    return spectra.astype(np.float32)


@pytest.fixture
def measured(expected: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).poisson(expected).astype(np.float32)


@pytest.mark.parametrize("radius", [1.5, 2.5])
def test_noise_is_some_deviations_far_everywhere(
    measured: np.ndarray, expected: np.ndarray, radius: float
) -> None:
    deviations = Deviations(measured, EVERYWHERE, radius)
    far = deviations.far_from(expected)
    assert far.shape == (40, 40, len(deviations.bands))
    np.testing.assert_allclose(np.median(far, axis=(0, 1)), 0, atol=0.1)
    assert far.max() < 7
    assert abs(far[:4].mean() - far[18:22].mean()) < 0.5  # at the border as in the middle


def test_the_band_of_a_misfit_is_told(measured: np.ndarray, expected: np.ndarray) -> None:
    measured[5:10, 5:10, 30:36] += 12
    deviations = Deviations(measured, EVERYWHERE, 1.5)
    far = deviations.far_from(expected)[6:9, 6:9].mean((0, 1))
    inside = deviations.bands[:, 30:36].any(1)
    assert far[inside].max() > 8
    assert far[~inside].max() < 2


def test_a_wider_radius_sees_what_is_large_and_faint(
    measured: np.ndarray, expected: np.ndarray
) -> None:
    measured[10:22, 10:22, 30:40] += 2
    near, wide = (
        Deviations(measured, EVERYWHERE, radius).far_from(expected).max(-1)[13:19, 13:19].mean()
        for radius in (1.0, 2.5)
    )
    assert wide > 1.5 * near


def test_block_by_block(
    measured: np.ndarray, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hyperspy_cvae.blocks._BLOCK", 40_000)
    once = Deviations(measured, EVERYWHERE, 2.5).far_from(expected)
    chunked = (da.from_array(each, chunks=(13, 7, 40)) for each in (measured, expected))
    lazy, lazily_expected = chunked
    found = Deviations(lazy, EVERYWHERE, 2.5).far_from(lazily_expected)
    np.testing.assert_allclose(found, once, rtol=1e-3, atol=1e-3)
