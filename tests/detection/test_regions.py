"""Regions: which pixels, how sure, and at which energies."""

from itertools import product

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from hyperspy_cvae.detection import describe_regions, find_anomalies

ENERGY = np.arange(690, 740, 0.5)
EVERYTHING = np.ones((50, 50), bool)


def scan(rise: float, seed: int = 0, correlated: bool = False) -> tuple[np.ndarray, ...]:
    """A uniform scan whose counts rise at 705-707 eV in one place."""
    expected = np.broadcast_to(200 * (ENERGY / 690) ** -3, (50, 50, ENERGY.size)).copy()
    mask = np.zeros((50, 50), bool)
    mask[20:25, 30:34] = True
    true = expected.copy()
    true[20:25, 30:34, (ENERGY >= 705) & (ENERGY <= 707)] *= 1 + rise
    measured = np.random.default_rng(seed).poisson(true).astype(np.float32)
    if correlated:
        noise = gaussian_filter1d(measured - true, 1.0, axis=-1)
        measured = (true + noise).astype(np.float32)
    return measured, expected.astype(np.float32), mask


def described(measured: np.ndarray, expected: np.ndarray, mask: np.ndarray) -> list:
    found = find_anomalies(measured, expected, 1, EVERYTHING)
    scores = found.scores, found.p_values
    return describe_regions(mask, *scores, measured, expected, 0.5, EVERYTHING)


def test_where_it_differs_and_by_how_much() -> None:
    measured, expected, mask = scan(0.3)
    (region,) = described(measured, expected, mask)
    assert np.array_equal(region.pixels, mask)
    assert 704.5 <= ENERGY[region.channels[0]] <= 707.5
    # Smoothed over 1.5 eV, a rise over 2.5 eV keeps some .6 of its height.
    assert region.change[0] == pytest.approx(0.3 * 0.6, rel=0.25)
    assert region.significance[0] > 10
    assert region.p_value < 0.05


@pytest.mark.parametrize("correlated", [False, True])
def test_significance_and_error_are_right_where_there_is_nothing(correlated: bool) -> None:
    """Whether the noise of neighbouring channels is correlated or not."""
    pulls, sigmas = [], []
    for seed in range(12):
        measured, expected, mask = scan(0.0, seed, correlated)
        (region,) = described(measured, expected, mask)
        pulls.append((measured[mask].mean(0) - expected[mask].mean(0)) / region.error)
        sigmas += list(region.significance)
    assert np.std(pulls) == pytest.approx(1, abs=0.12)
    assert len(sigmas) <= 1  # of 4 or more, among 12 scans


@pytest.mark.parametrize("fault", [0.0, 0.004])
@pytest.mark.parametrize("correlated", [False, True])
def test_errors_of_regions_larger_than_patches(fault: float, correlated: bool) -> None:
    """Noise averages out; what the reconstruction gets wrong for many pixels together does not."""
    form = np.cos(2 * np.pi * np.arange(30) / 30)
    mask = np.zeros((100, 100), bool)
    for row, column in product((5, 75), (5, 40, 75)):
        mask[row : row + 20, column : column + 20] = True
    pulls, errors = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        expected = np.full((100, 100, 30), 200, np.float32)
        field = gaussian_filter(rng.normal(size=(100, 100)), 15, mode="wrap")
        true = expected * (1 + fault * (field / field.std())[..., np.newaxis] * form)
        noise = rng.poisson(true) - true
        noise = gaussian_filter1d(noise, 1.0, axis=-1) if correlated else noise
        measured = (true + noise).astype(np.float32)
        scores, everything = rng.normal(size=mask.shape), np.ones_like(mask)
        for region in describe_regions(
            mask, scores, np.ones(mask.shape), measured, expected, 0.5, everything
        ):
            assert region.deviations is not None
            off = (measured[region.pixels].mean(0, dtype=float) - 200) / region.error
            errors.append(region.deviations.errors(form[np.newaxis]))
            pulls.append(form @ off / errors[-1])
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1, abs=0.25)
    by_noise_alone = np.sqrt(15 * (2 * np.sqrt(np.pi) if correlated else 1))
    if fault:
        assert np.mean(errors) > 2 * by_noise_alone
    else:
        assert np.mean(errors) == pytest.approx(by_noise_alone, rel=0.15)


def test_lowest_score_first_and_diagonal_neighbours_together() -> None:
    measured, expected, mask = scan(0.3)
    mask[5, 5] = mask[6, 6] = True
    first, second = described(measured, expected, mask)
    assert first.score < second.score
    assert second.pixels.sum() == 2
    assert not second.channels
    assert second.p_value > 0.5


def test_no_region() -> None:
    measured, expected, mask = scan(0.0)
    assert described(measured, expected, mask & False) == []


def test_everything_is_one_region() -> None:
    measured, expected, mask = scan(0.3)
    (region,) = described(measured, expected, mask | True)
    assert region.pixels.all()
    assert not region.channels


@pytest.mark.parametrize("rate", [0.02, 0.2])
def test_sparse_counts_are_no_sensation(rate: float) -> None:
    expected = np.full((40, 40, 60), rate, np.float32)
    measured = np.random.default_rng(0).poisson(expected).astype(np.float32)
    mask = np.zeros((40, 40), bool)
    mask[5::10, 5::10] = mask[6::10, 5::10] = True
    scores = np.random.default_rng(1).normal(size=(40, 40))
    judged = np.ones((40, 40), bool)
    p_values = np.ones((40, 40))
    regions = describe_regions(mask, scores, p_values, measured, expected, 0.5, judged)
    assert len(regions) == 16
    assert sum(len(region.channels) for region in regions) <= 2
    error = np.mean([region.error for region in regions], axis=0)
    np.testing.assert_allclose(np.median(error), np.sqrt(rate / 2), rtol=0.2)


def test_what_cannot_be_told() -> None:
    measured, expected, mask = scan(0.3)
    judged = mask.copy()
    judged[0, :5] = True
    scores = -1.0 * mask
    few = describe_regions(mask, scores, np.ones(mask.shape), measured, expected, 0.5, judged)
    assert not few[0].channels
    assert np.isnan(few[0].error).all()
