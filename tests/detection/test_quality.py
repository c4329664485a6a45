"""How well spectra are reconstructed: against explicit sums, and against a second recording."""

import numpy as np
import pytest

from hyperspy_cvae.detection import ReconstructionQuality, reconstruction_quality
from hyperspy_cvae.sampling import some_of

SHAPE = (48, 50)
EVERYWHERE = np.ones(SHAPE, bool)
CHANNELS = np.ones(180, bool)


@pytest.fixture(scope="module")
def bulk() -> np.ndarray:
    """Mixtures of three spectra."""
    rng = np.random.default_rng(1)
    energy = np.arange(180) / 3
    spectra = np.exp(-energy / [[40], [15], [400]]) * (1 + 0.8 * np.sin(energy / [[3], [5], [9]]))
    return (20 * rng.dirichlet(np.ones(3), SHAPE) @ spectra + 5).astype(np.float32)


@pytest.fixture(scope="module")
def counts(bulk: np.ndarray) -> np.ndarray:
    return np.random.default_rng(2).poisson(bulk).astype(np.float32)


def judged_half(cube: np.ndarray) -> np.ndarray:
    return cube[some_of(EVERYWHERE, cube.size)].astype(float)[::2]


def components(counts: np.ndarray) -> np.ndarray:
    """Those of the other half, ``(energy, components)``, from a singular value decomposition."""
    other = counts[some_of(EVERYWHERE, counts.size)].astype(float)[1::2]
    return np.linalg.svd(other, full_matrices=False)[2].T


def test_misfit_of_pca_is_that_of_explicit_reconstructions(
    counts: np.ndarray, bulk: np.ndarray
) -> None:
    channels = np.arange(180) >= 120
    quality = reconstruction_quality(counts, bulk, channels, EVERYWHERE, 6)
    measured, basis = judged_half(counts), components(counts)
    misfits = []
    for number in range(1, 7):
        first = basis[:, :number]
        square = np.square(measured - measured @ first @ first.T) / judged_half(bulk)
        share = np.square(first[channels]).sum() / channels.sum()
        misfits.append(np.median(square[:, channels].mean(1)) + 2 * share)
    # Up to the noise, which is one and has to be estimated.
    ratio = quality.pca / misfits
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=4e-3)
    assert ratio.mean() == pytest.approx(1, abs=0.04)


def test_it_is_the_misfit_to_a_second_recording(counts: np.ndarray, bulk: np.ndarray) -> None:
    quality = reconstruction_quality(counts, bulk, CHANNELS, EVERYWHERE, 10)
    again = judged_half(np.random.default_rng(3).poisson(bulk))
    measured, basis = judged_half(counts), components(counts)
    misfits = [
        np.median((np.square(again - measured @ each @ each.T) / judged_half(bulk)).mean(1))
        for each in (basis[:, :number] for number in range(1, 11))
    ]
    np.testing.assert_allclose(quality.pca[1:], misfits[1:], rtol=0.04)
    assert np.argmin(quality.pca) == np.argmin(misfits) == 2
    assert quality.pca[9] > quality.pca[2] + 0.03


def test_a_perfect_reconstruction_leaves_the_noise(counts: np.ndarray, bulk: np.ndarray) -> None:
    scaled = bulk * (counts.sum(-1, keepdims=True) / bulk.sum(-1, keepdims=True))
    quality = reconstruction_quality(counts, scaled, CHANNELS, EVERYWHERE)
    # The misfit is of all spectra, the noise of the nine tenths that fit best.
    assert quality.misfit == pytest.approx(1, abs=0.04)
    assert quality.verdict == "better than PCA with any number of components up to 10"


def test_the_level_of_the_noise_is_not_that_of_a_bad_reconstruction(
    counts: np.ndarray, bulk: np.ndarray
) -> None:
    mean = np.broadcast_to(bulk.mean((0, 1)), bulk.shape)
    bad, good = (
        reconstruction_quality(counts, each, CHANNELS, EVERYWHERE) for each in (mean, bulk)
    )
    np.testing.assert_allclose(bad.pca, good.pca, rtol=0.03)
    assert bad.misfit > bad.pca[1]


def test_a_bad_reconstruction_of_few_pixels_does_not_matter(
    counts: np.ndarray, bulk: np.ndarray
) -> None:
    wrong = bulk.copy()
    wrong[:4, :10] = np.roll(wrong[:4, :10], 20, axis=-1)
    one, other = (
        reconstruction_quality(counts, each, CHANNELS, EVERYWHERE) for each in (wrong, bulk)
    )
    assert one.misfit == pytest.approx(other.misfit, rel=0.01)


def test_pixels_that_are_not_judged_do_not_count(counts: np.ndarray, bulk: np.ndarray) -> None:
    judged = EVERYWHERE.copy()
    judged[:10] = False
    broken = counts.copy()
    broken[:10] = 1e6
    one, other = (reconstruction_quality(each, bulk, CHANNELS, judged) for each in (counts, broken))
    np.testing.assert_array_equal(one.pca, other.pca)
    assert one.misfit == other.misfit


@pytest.mark.parametrize(
    ("misfit", "verdict"),
    [
        (3.0, "no better than PCA with 1 component"),
        (1.5, "better than PCA with 1 component, but not than with 2"),
        (1.15, "better than PCA with 2 components, but not than with 3"),
        (1.05, "better than PCA with any number of components up to 4"),
    ],
)
def test_verdict(misfit: float, verdict: str) -> None:
    """Of a PCA whose last component takes up nothing but noise."""
    pca = np.array([2.0, 1.2, 1.1, 1.12])
    assert ReconstructionQuality(np.ones(4) / 4, pca, misfit).verdict == verdict


def test_too_few_spectra(counts: np.ndarray, bulk: np.ndarray) -> None:
    few = np.zeros(SHAPE, bool)
    few[0, :12] = True
    with pytest.raises(ValueError, match="n_components is 10, but 6 spectra of 180 channels"):
        reconstruction_quality(counts, bulk, CHANNELS, few)
