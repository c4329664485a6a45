"""Principal component analysis as HyperSpy does it."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, eigvalsh

_AT_ONCE = 64 * 2**20  # bytes of spectra in float64


class PCA:
    """Reconstruction from the first principal components, those of HyperSpy's ``decomposition()``.

    They are found as eigenvectors of the products of channels with each other, or of spectra if
    these are fewer, in float64: several times as quick as a singular value decomposition, and as
    exact for components that are not below a hundred millionth of the first.

    Parameters
    ----------
    n_components
        Number of components that are kept.

    Attributes
    ----------
    components
        Orthonormal, ``(energy, n_components)``; the first k span what the first k of HyperSpy's do.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bulk = rng.random((8, 9, 1)) * rng.random(20)
    >>> cube = (bulk + 0.01 * rng.normal(size=bulk.shape)).astype("float32")
    >>> bool(abs(PCA(1).fit(cube).reconstruct(cube) - bulk).max() < 0.05)
    True
    """

    def __init__(self, n_components: int = 4) -> None:
        if n_components < 1:
            raise ValueError(
                f"n_components is {n_components}, but at least 1 is needed: use 3, 4 or 5."
            )
        self.n_components = n_components
        self.components: NDArray[np.floating] | None = None
        self._products: NDArray[np.float64] | None = None

    def fit(self, cube: NDArray[np.float32], use: NDArray[np.bool_] | None = None) -> "PCA":
        """Learn the components from the spectra of ``cube`` ``(rows, columns, energy)``."""
        spectra = cube.reshape(-1, cube.shape[2])
        if use is not None and not use.all():
            spectra = spectra[use.ravel()]
        most = min(spectra.shape)
        if self.n_components > most:
            raise ValueError(
                f"n_components is {self.n_components}, but {spectra.shape[0]} spectra of "
                f"{spectra.shape[1]} channels have at most {most}: ask for fewer."
            )
        few = len(spectra) < spectra.shape[1]
        products = spectra.astype(np.float64) @ spectra.T if few else _of_channels(spectra)
        first = [most - self.n_components, most - 1]
        vectors = eigh(products, subset_by_index=first)[1][:, ::-1]
        if few:
            vectors = spectra.T @ vectors
        self.components = np.linalg.qr(vectors)[0]
        self._products = products
        self.__dict__.pop("explained_variance_ratio", None)  # of another cube
        return self

    @cached_property
    def explained_variance_ratio(self) -> NDArray[np.float64]:
        """Of all components, as HyperSpy's scree plot shows it."""
        if self._products is None:
            raise ValueError("the PCA has no components yet: call fit first.")
        variances = np.maximum(eigvalsh(self._products)[::-1], 0)
        ratio: NDArray[np.float64] = variances / max(variances.sum(), np.finfo(float).tiny)
        return ratio

    def reconstruct(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project the spectra of ``cube`` onto the components."""
        if self.components is None:
            raise ValueError("the PCA has no components yet: call fit first.")
        components = np.asarray(self.components[:, : self.n_components], dtype=np.float32)
        return ((cube @ components) @ components.T).astype(np.float32, copy=False)


def _of_channels(spectra: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the products of all channels with each other, ``(energy, energy)``."""
    channels = spectra.shape[1]
    total = np.zeros((channels, channels))
    at_once = max(1, _AT_ONCE // (8 * channels))
    for begin in range(0, len(spectra), at_once):
        block = spectra[begin : begin + at_once].astype(np.float64)
        total += block.T @ block
    return total
