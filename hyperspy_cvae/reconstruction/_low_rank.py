"""A few components of the bulk, of which what is rare is no part."""

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.low_rank import LowRankBulk, low_rank_bulk


class LowRank:
    """Reconstruction from as many components as rise above the noise, of spectra that aren't rare.

    It needs no setting. Where bulk is mixed of few spectra it is all that is
    needed; where energies shift continuously, many components follow, and take up anomalies, too.
    See :func:`hyperspy_cvae.low_rank.low_rank_bulk`.

    Attributes
    ----------
    bulk
        The components, once it is fitted.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bulk = 50 + 50 * rng.random((12, 12, 1)) * rng.random(40)
    >>> cube = rng.poisson(bulk).astype("float32")
    >>> bool(np.abs(LowRank().fit(cube).reconstruct(cube) - bulk).mean() < 3)
    True
    """

    def __init__(self) -> None:
        self.bulk: LowRankBulk | None = None

    def fit(self, cube: NDArray[np.float32], use: NDArray[np.bool_] | None = None) -> "LowRank":
        """Learn from the spectra of ``cube`` ``(rows, columns, energy)``."""
        used = np.ones(cube.shape[:2], bool) if use is None else use
        self.bulk = low_rank_bulk(np.maximum(cube, 0).reshape(-1, cube.shape[2]), used.ravel())
        return self

    def reconstruct(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the spectra of ``cube`` as the components give them."""
        if self.bulk is None:
            raise ValueError("the components are not known yet: call fit first.")
        return self.bulk.expected(np.maximum(cube, 0).reshape(-1, cube.shape[2])).reshape(
            cube.shape
        )
