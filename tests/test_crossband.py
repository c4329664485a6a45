"""What the rest of a spectrum lets expect in a band, by regression over the whole scan."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperspy_cvae.crossband import by_regression

ENERGIES = np.arange(60)
HIDDEN = ENERGIES >= 40
EVERYWHERE = np.ones((40, 40), bool)
RADIUS = 0.3  # spectra are independent


def spectra(strain: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float32]:
    """Two lines, the second of which is hidden, with noise of a hundredth."""
    maxima = np.stack([20 + strain, 50 + second], -1)[..., np.newaxis]
    scan = 2 + np.exp(-(((ENERGIES - maxima) / 3) ** 2)).sum(-2)
    return np.random.default_rng(1).normal(scan, 0.01).astype(np.float32)


@pytest.fixture
def strain() -> NDArray[np.floating]:
    return np.random.default_rng(0).uniform(-1, 1, (40, 40))


def test_what_belongs_together_is_told_even_beyond_what_is_usual(
    strain: NDArray[np.floating],
) -> None:
    strain[:4, :4] = 1.4
    usual = EVERYWHERE.copy()
    usual[:4, :4] = False
    scan = spectra(strain, strain)
    misfit = np.abs(by_regression(scan, RADIUS, HIDDEN, usual) - scan[..., HIDDEN])
    mean = np.abs(scan[..., HIDDEN] - scan[usual][:, HIDDEN].mean(0))
    assert misfit[usual].mean() < 0.015
    assert misfit[~usual].mean() < 0.3 * mean[~usual].mean()


def test_a_twentieth_that_is_foreign_does_not_change_what_is_expected(
    strain: NDArray[np.floating],
) -> None:
    second = strain.copy()
    second[:2] = -strain[:2]
    clean, scan = spectra(strain, strain), spectra(strain, second)
    found = by_regression(scan, RADIUS, HIDDEN, EVERYWHERE)
    np.testing.assert_allclose(found, by_regression(clean, RADIUS, HIDDEN, EVERYWHERE), atol=0.06)
    assert np.abs(found - clean[..., HIDDEN])[:2].mean() < 0.015
    assert np.abs(found - scan[..., HIDDEN])[:2].mean() > 0.05


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_scale_of_intensities_does_not_matter(
    strain: NDArray[np.floating], factor: float
) -> None:
    scan = spectra(strain, strain)
    found = by_regression(scan * np.float32(factor), RADIUS, HIDDEN, EVERYWHERE)
    expected = by_regression(scan, RADIUS, HIDDEN, EVERYWHERE)
    np.testing.assert_allclose(found / factor, expected, rtol=1e-3)


def test_what_is_hidden_and_what_is_not_usual_says_nothing(strain: NDArray[np.floating]) -> None:
    scan = spectra(strain, strain)
    before = by_regression(scan, RADIUS, HIDDEN, EVERYWHERE)
    scan[5, 5, HIDDEN] *= 3
    np.testing.assert_allclose(
        by_regression(scan, RADIUS, HIDDEN, EVERYWHERE)[5, 5], before[5, 5], rtol=0.02
    )
    usual = EVERYWHERE.copy()
    usual[20:] = False
    first = by_regression(scan, RADIUS, HIDDEN, usual)
    scan[20:] = 7
    np.testing.assert_allclose(
        by_regression(scan, RADIUS, HIDDEN, usual)[:20], first[:20], rtol=1e-4
    )


def test_vacuum_and_few_channels(strain: NDArray[np.floating]) -> None:
    scan = spectra(strain, strain)
    scan[:10] = 0
    found = by_regression(scan, RADIUS, HIDDEN, EVERYWHERE)
    assert np.isfinite(found).all()
    assert not found[:10].any()
    assert not by_regression(np.zeros_like(scan), RADIUS, HIDDEN, EVERYWHERE).any()
    few = by_regression(scan[..., 38:42], RADIUS, HIDDEN[38:42], EVERYWHERE)
    assert few.shape == (40, 40, 2)


def test_few_independent_spectra_tell_no_more_than_a_mean(strain: NDArray[np.floating]) -> None:
    scan = spectra(strain, strain)
    others = scan[..., ~HIDDEN].sum(-1, keepdims=True)
    mean = (scan[..., HIDDEN] / others).mean((0, 1))
    np.testing.assert_allclose(
        by_regression(scan, 3.0, HIDDEN, EVERYWHERE), mean * others, rtol=1e-4
    )
    one = np.zeros_like(EVERYWHERE)
    one[20, 20] = True
    share = scan[20, 20, HIDDEN] / others[20, 20]
    np.testing.assert_allclose(by_regression(scan, RADIUS, HIDDEN, one), share * others, rtol=1e-4)
