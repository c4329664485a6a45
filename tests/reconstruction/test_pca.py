"""PCA is what HyperSpy's decomposition is."""

import numpy as np
import pytest
from hyperspy.signals import Signal1D

from hyperspy_cvae.reconstruction import PCA


@pytest.fixture
def cube() -> np.ndarray:
    rng = np.random.default_rng(0)
    bulk = rng.random((9, 8, 3)) @ rng.random((3, 30))
    return (bulk + 0.01 * rng.normal(size=bulk.shape)).astype(np.float32)


@pytest.mark.parametrize("n_components", [1, 2, 3, 7, 30])
def test_same_as_the_decomposition_model(cube: np.ndarray, n_components: int) -> None:
    signal = Signal1D(cube.copy())
    signal.decomposition(svd_solver="full", print_info=False)
    model = signal.get_decomposition_model(n_components).data
    found = PCA(n_components).fit(cube).reconstruct(cube)
    np.testing.assert_allclose(found, model, atol=1e-4)


def test_only_used_spectra_are_fitted(cube: np.ndarray) -> None:
    use = np.ones((9, 8), bool)
    use[4:] = False
    spoiled = cube.copy()
    spoiled[~use] = np.random.default_rng(1).normal(size=30)
    one, other = (PCA(2).fit(data, use).reconstruct(cube) for data in (cube, spoiled))
    assert np.array_equal(one, other)


def test_impossible_numbers_of_components(cube: np.ndarray) -> None:
    with pytest.raises(ValueError, match="n_components is 0, but at least 1"):
        PCA(0)
    with pytest.raises(ValueError, match="n_components is 31, but 72 spectra of 30 channels"):
        PCA(31).fit(cube)
    with pytest.raises(ValueError, match="call fit first"):
        PCA(2).reconstruct(cube)


@pytest.mark.parametrize("pixels", [(9, 8), (3, 4)])
def test_variances_are_those_of_the_scree_plot(cube: np.ndarray, pixels: tuple[int, int]) -> None:
    """Also where there are fewer spectra than channels."""
    part = cube[: pixels[0], : pixels[1]]
    signal = Signal1D(part.copy())
    signal.decomposition(print_info=False)
    pca = PCA(2).fit(part)
    ratio = signal.learning_results.explained_variance_ratio
    np.testing.assert_allclose(pca.explained_variance_ratio[: len(ratio)], ratio, atol=1e-6)
    np.testing.assert_allclose(
        pca.reconstruct(part), signal.get_decomposition_model(2).data, atol=1e-4
    )
    assert pca.fit(cube).explained_variance_ratio.size == 30


def test_nothing_varies_in_nothing() -> None:
    pca = PCA(2).fit(np.zeros((4, 5, 6), np.float32))
    assert not pca.explained_variance_ratio.any()
    assert not pca.reconstruct(np.zeros((4, 5, 6), np.float32)).any()
