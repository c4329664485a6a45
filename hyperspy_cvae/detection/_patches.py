"""What is left over in patches of bulk: how far the mean of a region may be off by itself."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube, spectra_at
from hyperspy_cvae.detection._misfit import whitened
from hyperspy_cvae.detection._noise import Noise
from hyperspy_cvae.sampling import some

_PATCHES, _LARGEST = 80, 144  # patches; pixels in one of them
_APART = 30  # patches that do not overlap


def patch_residuals(
    size: int, bulk: NDArray[np.bool_], measured: Cube, expected: Cube, noise: Noise
) -> NDArray[np.float32]:
    """Return residuals of 80 patches of bulk at random, ``(patches, rows, columns, energy)``.

    They are in units of the noise. A patch has 144 pixels at most, and fewer if the bulk has room
    for less than 30 of them.

    Parameters
    ----------
    size
        Pixels wanted in a patch.
    bulk
        Where patches may lie, ``(rows, columns)``.
    measured, expected
        Counts and their reconstruction, ``(rows, columns, energy)``.
    noise
        The noise of a pixel.
    """
    size = max(1, min(size, _LARGEST, int(np.count_nonzero(bulk)) // _APART))
    while True:
        rows, columns = _sides(size, bulk.shape)
        corners = np.argwhere(sliding_window_view(bulk, (rows, columns)).all((2, 3)))
        if size == 1 or len(corners) >= _APART:
            break
        size = size * 3 // 4
    corners = corners[some(len(corners), _PATCHES)]
    inside = np.indices((rows, columns)).reshape(2, -1)
    pixels = tuple((corners[:, [axis]] + inside[axis]).ravel() for axis in (0, 1))
    residual = whitened(spectra_at(measured, pixels), spectra_at(expected, pixels), noise)
    return residual.reshape(len(corners), rows, columns, -1)


def patch_means(residuals: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """Return means of all rectangles of so many pixels, or a few less, ``(n, energy)``.

    Examples
    --------
    >>> patch_means(np.ones((80, 7, 7, 5), np.float32), 9).shape
    (320, 5)
    """
    patches, height, width, energy = residuals.shape
    rows, columns = _sides(size, (height, width))
    down, across = height // rows, width // columns
    parts = residuals[:, : down * rows, : across * columns]
    parts = parts.reshape(patches, down, rows, across, columns, energy)
    return np.asarray(parts.mean((2, 4), dtype=np.float64).reshape(-1, energy))


def _sides(size: int, most: tuple[int, ...]) -> tuple[int, int]:
    rows = min(round(np.sqrt(size)), most[0])
    return rows, min(size // rows, most[1])
