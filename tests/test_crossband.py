"""What the rest of a spectrum lets expect in a band, by regression over the whole scan."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperspy_cvae.crossband import Regression

ENERGIES = np.arange(60)
HIDDEN = ENERGIES >= 40
EVERYWHERE = np.ones((40, 40), bool)


def spectra(strain: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float32]:
    """Two lines, the second of which is hidden, with noise of a hundredth."""
    maxima = np.stack([20 + strain, 50 + second], -1)[..., np.newaxis]
    scan = 2 + np.exp(-(((ENERGIES - maxima) / 3) ** 2)).sum(-2)
    return np.random.default_rng(1).normal(scan, 0.01).astype(np.float32)


@pytest.fixture
def strain() -> NDArray[np.floating]:
    return np.random.default_rng(0).uniform(-1, 1, (40, 40))


def others(scan: NDArray[np.float32]) -> NDArray[np.float32]:
    return scan[..., ~HIDDEN].sum(-1, keepdims=True)


def measured(scan: NDArray[np.float32]) -> NDArray[np.float32]:
    return scan[..., HIDDEN] / others(scan)


def expected(
    scan: NDArray[np.float32], usual: NDArray[np.bool_] = EVERYWHERE, radius: float = 0.0
) -> NDArray[np.float32]:
    return Regression(scan, radius, HIDDEN, usual).expected(scan)


def test_what_belongs_together_is_told_even_beyond_what_is_usual(
    strain: NDArray[np.floating],
) -> None:
    strain[:4, :4] = 1.4
    usual = EVERYWHERE.copy()
    usual[:4, :4] = False
    scan = spectra(strain, strain)
    misfit = np.abs(expected(scan, usual) - measured(scan))
    mean = np.abs(measured(scan) - measured(scan)[usual].mean(0))
    assert misfit[usual].mean() < 0.01 * measured(scan).mean()
    assert misfit[~usual].mean() < 0.25 * mean[~usual].mean()


def test_brightness_tells_what_goes_with_thickness(strain: NDArray[np.floating]) -> None:
    thickness = 1 + 0.3 * np.random.default_rng(2).uniform(-1, 1, (40, 40, 1)).astype(np.float32)
    scan = spectra(strain, strain) * thickness
    scan[..., HIDDEN] *= thickness
    left = np.square(expected(scan) - measured(scan)).mean()
    assert left < 0.05 * measured(scan).var((0, 1)).mean()


def test_it_is_no_straight_line(strain: NDArray[np.floating]) -> None:
    """The second line moves with the square of the first's strain."""
    scan = spectra(strain, 2 * np.square(strain) - 1)
    left = np.square(expected(scan) - measured(scan)).mean()
    assert left < 0.1 * measured(scan).var((0, 1)).mean()


def test_a_twentieth_that_is_foreign_does_not_change_what_is_expected(
    strain: NDArray[np.floating],
) -> None:
    second = strain.copy()
    second[:2] = -strain[:2]
    clean, scan = spectra(strain, strain), spectra(strain, second)
    found = expected(scan)
    np.testing.assert_allclose(found, expected(clean), atol=0.03 * measured(clean).mean())
    near = np.abs(found - measured(clean))[:2].mean()
    assert np.abs(found - measured(scan))[:2].mean() > 4 * near


def test_a_few_of_a_kind_of_their_own_do_not_explain_each_other(
    strain: NDArray[np.floating],
) -> None:
    """A dopant brings a line to 45 and takes as much from one at 12, which nothing else moves."""
    scan = spectra(strain, strain)
    scan += np.exp(-(((ENERGIES - 12) / 2) ** 2)).astype(np.float32)
    clean = scan.copy()
    for energy, more in ((12, -0.5), (45, 0.5)):
        scan[5:10, 5:10] += (more * np.exp(-(((ENERGIES - energy) / 2) ** 2))).astype(np.float32)
    line = np.abs(measured(scan) - measured(clean))[5:10, 5:10].max(-1)
    left = np.abs(expected(scan) - measured(scan))[5:10, 5:10].max(-1)
    assert np.median(left) > 0.8 * np.median(line)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_scale_of_intensities_does_not_matter(
    strain: NDArray[np.floating], factor: float
) -> None:
    scan = spectra(strain, strain)
    np.testing.assert_allclose(expected(scan * np.float32(factor)), expected(scan), rtol=1e-3)


def test_what_is_hidden_and_what_is_not_usual_says_nothing(strain: NDArray[np.floating]) -> None:
    scan = spectra(strain, strain)
    usual = EVERYWHERE.copy()
    usual[20:] = False
    before = expected(scan, usual)
    scan[30, 5, HIDDEN] *= 3
    scan[35:] = 7
    np.testing.assert_array_equal(expected(scan, usual)[:35], before[:35])


def test_thin_places_are_told_and_vacuum_says_nothing(strain: NDArray[np.floating]) -> None:
    scan = spectra(strain, strain)
    whole = expected(scan)
    scan[:4] *= 0.1
    np.testing.assert_allclose(expected(scan), whole, rtol=5e-3)
    scan[:4] = 0
    assert np.isfinite(expected(scan)).all()
    usual = EVERYWHERE.copy()
    usual[:4] = False
    np.testing.assert_array_equal(expected(scan), expected(scan, usual))
    assert not expected(np.zeros_like(scan)).any()


def test_few_channels_and_spectra_tell_no_more_than_a_mean(strain: NDArray[np.floating]) -> None:
    scan = spectra(strain, strain)
    mean = np.broadcast_to(measured(scan).mean((0, 1)), (40, 40, 20))
    np.testing.assert_allclose(expected(scan, radius=3.0), mean, rtol=1e-4)
    one = np.zeros_like(EVERYWHERE)
    one[20, 20] = True
    np.testing.assert_allclose(
        expected(scan, one), np.broadcast_to(measured(scan)[20, 20], mean.shape), rtol=1e-4
    )
    assert not expected(scan, ~EVERYWHERE).any()
    found = Regression(scan[..., 39:], 0.0, HIDDEN[39:], EVERYWHERE).expected(scan[..., 39:])
    assert found.shape == (40, 40, 20)
    assert np.ptp(found, (0, 1)).max() == 0


def test_no_columns_of_a_scan_are_preferred() -> None:
    """Layers of a period by which 90,000 pixels are 30 times too many."""
    strain = np.broadcast_to(np.arange(300) % 30 / 15 - 1, (300, 300))
    scan = spectra(strain, strain)
    found = expected(scan, np.ones((300, 300), bool))
    assert np.abs(found - measured(scan)).mean() < 0.01 * measured(scan).mean()
