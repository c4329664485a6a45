"""Principal component analysis as HyperSpy does it."""

import numpy as np
from numpy.typing import NDArray


class PCA:
    """Reconstruction from the first principal components, by HyperSpy's ``decomposition()``.

    The only reconstructor that needs HyperSpy: what users compare with is the decomposition they
    know, not another one of the same name.

    Parameters
    ----------
    n_components
        Number of components that are kept.

    Attributes
    ----------
    components
        Orthonormal, ``(energy, n_components)``; the first k span what the first k of HyperSpy's do.
    explained_variance_ratio
        Of all components, as HyperSpy's scree plot shows it.

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
        self.explained_variance_ratio: NDArray[np.floating] | None = None

    def fit(self, cube: NDArray[np.float32], use: NDArray[np.bool_] | None = None) -> "PCA":
        """Learn the components from the spectra of ``cube`` ``(rows, columns, energy)``."""
        from hyperspy.signals import Signal1D

        spectra = cube[np.ones(cube.shape[:2], bool) if use is None else use]
        most = min(spectra.shape)
        if self.n_components > most:
            raise ValueError(
                f"n_components is {self.n_components}, but {spectra.shape[0]} spectra of "
                f"{spectra.shape[1]} channels have at most {most}: ask for fewer."
            )
        signal = Signal1D(spectra.copy())
        # The randomised solver draws from a global generator: two runs would differ.
        signal.decomposition(svd_solver="full", print_info=False)
        learnt = signal.learning_results
        self.components = np.linalg.qr(learnt.factors[:, : self.n_components])[0]
        self.explained_variance_ratio = learnt.explained_variance_ratio
        return self

    def reconstruct(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project the spectra of ``cube`` onto the components."""
        if self.components is None:
            raise ValueError("the PCA has no components yet: call fit first.")
        components = np.asarray(self.components[:, : self.n_components], dtype=np.float32)
        return ((cube @ components) @ components.T).astype(np.float32, copy=False)
