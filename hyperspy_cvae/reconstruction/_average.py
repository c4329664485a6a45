"""The simplest bulk: one spectrum for the scan, or one for each tile."""

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.shards import starts


class Mean:
    """The mean spectrum, scaled to the counts of each pixel.

    On a uniform crystal nothing is better.

    Examples
    --------
    >>> cube = np.array([[[1, 3], [2, 6]]], dtype=np.float32)
    >>> Mean().fit(cube).reconstruct(np.array([[[8, 0]]], dtype=np.float32))
    array([[[2., 6.]]], dtype=float32)
    """

    def __init__(self) -> None:
        self.spectrum: NDArray[np.floating] | None = None

    def fit(self, cube: NDArray[np.float32], use: NDArray[np.bool_] | None = None) -> "Mean":
        """Learn the mean of the spectra of ``cube`` ``(rows, columns, energy)``."""
        spectra = cube[np.ones(cube.shape[:2], bool) if use is None else use]
        self.spectrum = _shape(spectra.mean(0, dtype=np.float64))
        return self

    def reconstruct(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean spectrum with the counts of each spectrum of ``cube``."""
        if self.spectrum is None:
            raise ValueError("the mean is not known yet: call fit first.")
        return (cube.sum(-1, keepdims=True) * self.spectrum).astype(np.float32)


class TileMedian:
    """The median spectrum of the tile around, scaled to the counts of each pixel.

    Good on crystals that vary smoothly. It learns nothing: the tiles are those of the spectrum
    image that is judged.

    Parameters
    ----------
    tile
        Rows and columns of a tile in pixels.

    Examples
    --------
    >>> cube = np.ones((4, 4, 3), dtype=np.float32)
    >>> cube[0, 0] = 9, 0, 0
    >>> TileMedian(4).fit(cube).reconstruct(cube)[0, 0]
    array([3., 3., 3.], dtype=float32)
    """

    def __init__(self, tile: int = 24) -> None:
        if tile < 1:
            raise ValueError(f"tile is {tile}, but at least 1 pixel is needed: use 24.")
        self.tile = tile
        self.use: NDArray[np.bool_] | None = None

    def fit(self, cube: NDArray[np.float32], use: NDArray[np.bool_] | None = None) -> "TileMedian":
        """Keep ``use``, the spectra ``(rows, columns)`` that count; there is nothing to learn."""
        self.use = use
        return self

    def reconstruct(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the median spectrum of each tile with the counts of each spectrum of ``cube``."""
        total = cube.sum(-1, keepdims=True)
        shapes = cube / np.where(total > 0, total, 1)
        spectra = np.empty_like(cube)
        for row in starts(cube.shape[0], min(self.tile, cube.shape[0]), self.tile):
            for column in starts(cube.shape[1], min(self.tile, cube.shape[1]), self.tile):
                tile = np.s_[row : row + self.tile, column : column + self.tile]
                used = np.ones(shapes[tile].shape[:2], bool)
                if self.use is not None and self.use[tile].any():
                    used = self.use[tile]
                spectra[tile] = total[tile] * _shape(np.median(shapes[tile][used], axis=0))
        return spectra


def _shape(spectrum: NDArray[np.floating]) -> NDArray[np.floating]:
    total = spectrum.sum()
    return spectrum / total if total > 0 else np.full_like(spectrum, 1 / spectrum.size)
