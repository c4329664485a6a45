"""Patches of bulk: where they lie, and how much of noise and misfit is left in their means."""

import numpy as np
import pytest

from hyperspy_cvae.detection import Noise
from hyperspy_cvae.detection._patches import patch_means, patch_noise, patch_residuals

POISSON = Noise(1.0, 0.0)


def spectra(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    expected = np.full((*shape, 30), 100, np.float32)
    return np.random.default_rng(0).poisson(expected).astype(np.float32), expected


@pytest.mark.parametrize(
    ("shape", "size", "smaller"), [((40, 40), 25, 4), ((40, 40), 1, 1), ((1, 900), 12, 5)]
)
def test_noise_averages_out(shape: tuple[int, int], size: int, smaller: int) -> None:
    residuals = patch_residuals(size, np.ones(shape, bool), *spectra(shape), POISSON)
    for part in (size, smaller):
        means, pixels = patch_means(residuals, part)
        assert len(means) >= 80
        assert pixels == part
        # Scaling each spectrum to its counts takes away one thirtieth of the variance.
        assert means.std() == pytest.approx(np.sqrt(29 / 30 / part), rel=0.08)


def test_noise_of_a_pixel_is_known_whatever_its_neighbourhood_has_in_common() -> None:
    measured, expected = spectra((60, 60))
    expected[:, :30, :10] *= 1.2
    residuals = patch_residuals(25, np.ones((60, 60), bool), measured, expected, POISSON)
    assert np.diag(patch_noise(residuals)).mean() == pytest.approx(1, abs=0.1)
    assert not patch_noise(residuals[:, :1, :1]).any()


def test_misfit_of_a_neighbourhood_does_not() -> None:
    measured, expected = spectra((60, 60))
    expected[:, :30, :10] *= 1.2
    residuals = patch_residuals(25, np.ones((60, 60), bool), measured, expected, POISSON)
    assert patch_means(residuals, 25)[0][:, :10].std() > 2.5 / np.sqrt(25)


def test_patches_lie_in_the_bulk() -> None:
    measured, expected = spectra((40, 40))
    bulk = np.ones((40, 40), bool)
    bulk[15:25] = bulk[:, 5] = False
    measured[~bulk] = 1e6
    residuals = patch_residuals(30, bulk, measured, expected, POISSON)
    assert residuals.shape == (80, 5, 6, 30)
    assert np.abs(residuals).max() < 10


@pytest.mark.parametrize("every", [2, 3])
def test_smaller_where_there_is_no_room(every: int) -> None:
    bulk = np.zeros((30, 30), bool)
    bulk[:, ::every] = True
    residuals = patch_residuals(40, bulk, *spectra((30, 30)), POISSON)
    assert residuals.shape[1:3] in {(1, 1), (2, 1)}
    assert len(residuals) == 80
