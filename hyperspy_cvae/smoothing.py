"""Gaussians over pixels and energy, and what they do to noise."""

from functools import partial

import dask.array as da
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from hyperspy_cvae.blocks import Cube, blockwise, in_threads

_TRUNCATE = 4.0  # standard deviations, as scipy does
_AT_ONCE = 32  # pixels or channels


def smoothed(cube: NDArray[np.float32], radius: float, width: float = 0.0) -> NDArray[np.float32]:
    """Return a cube smoothed by a Gaussian, as :func:`scipy.ndimage.gaussian_filter` does it.

    Along each axis that is a product with a matrix, few of whose elements are not 0: several times
    as quick.

    Parameters
    ----------
    cube
        ``(rows, columns, energy)``; left as it is.
    radius, width
        Standard deviations in pixels and in channels; with 0 for both, the cube itself is returned.

    Examples
    --------
    >>> cube = np.zeros((5, 5, 3), np.float32)
    >>> cube[2, 2] = 1
    >>> smoothed(cube, 1.0)[2, :, 0].round(2)
    array([0.02, 0.1 , 0.16, 0.1 , 0.02], dtype=float32)
    """
    for axis, sigma in enumerate((radius, radius, width)):
        if sigma > 0:
            cube = _along(cube, axis, sigma)
    return cube


def smoothed_blocks(cube: Cube, radius: float) -> da.Array:
    """Return a cube smoothed over pixels block by block; nothing is computed yet."""
    smooth = partial(smoothed, radius=radius)
    return blockwise(smooth, cube, channels=cube.shape[2], reach=reach(radius))


def reach(radius: float) -> int:
    """Return how many pixels or channels to either side a Gaussian takes into account."""
    return int(_TRUNCATE * radius + 0.5)


def _along(cube: NDArray[np.float32], axis: int, sigma: float) -> NDArray[np.float32]:
    length, far = cube.shape[axis], reach(sigma)
    impulses = np.eye(length, dtype=np.float32)
    weights = gaussian_filter1d(impulses, sigma, axis=0, truncate=_TRUNCATE)
    result = np.empty(cube.shape, np.float32)
    for first in range(0, length, _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        near = slice(max(0, first - far), first + _AT_ONCE + far)
        if axis == 2:
            np.matmul(cube[..., near], weights[some, near].T, out=result[..., some])
        elif axis == 1:
            np.matmul(weights[some, near], cube[:, near], out=result[:, some])
        else:
            flat = cube[near].reshape(weights[some, near].shape[1], -1)
            result[some] = (weights[some, near] @ flat).reshape(result[some].shape)
    return result


def convolved(cube: NDArray[np.float32], weights: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return a cube convolved by the same weights over rows and over columns.

    Nothing lies beyond the borders: :func:`scipy.ndimage.convolve1d` calls that constant. An axis
    of one pixel is left as it is, as in a line scan.

    Parameters
    ----------
    cube
        ``(rows, columns, energy)``; left as it is.
    weights
        An odd number of them, the same from either end.

    Examples
    --------
    >>> convolved(np.ones((1, 4, 2), np.float32), np.ones(3))[0, :, 0]
    array([2., 3., 3., 2.], dtype=float32)
    """
    far = len(weights) // 2
    block = np.zeros((_AT_ONCE, _AT_ONCE + 2 * far), np.float32)
    for row in range(_AT_ONCE):
        block[row, row : row + len(weights)] = weights
    for axis in (0, 1):
        if cube.shape[axis] > 1:
            cube = _by_blocks(cube, axis, block, far)
    return cube


def _by_blocks(
    cube: NDArray[np.float32], axis: int, block: NDArray[np.float32], far: int
) -> NDArray[np.float32]:
    length = cube.shape[axis]
    result = np.empty(cube.shape, np.float32)

    def part(first: int) -> None:
        begin, end = max(0, first - far), min(length, first + _AT_ONCE + far)
        number = min(_AT_ONCE, length - first)
        weights = block[:number, begin - first + far : end - first + far]
        if axis == 1:
            np.matmul(weights, cube[:, begin:end], out=result[:, first : first + number])
        else:
            near = cube[begin:end].reshape(end - begin, -1)
            np.matmul(weights, near, out=result[first : first + number].reshape(number, -1))

    in_threads(part, range(0, length, _AT_ONCE))
    return result


def noise_gain(shape: tuple[int, int], radius: float) -> NDArray[np.float32]:
    """Return how large white noise is after a Gaussian, over what it is far from the borders.

    :func:`scipy.ndimage.gaussian_filter` reflects a scan at its borders: there fewer independent
    pixels are averaged, and more noise is left.

    Parameters
    ----------
    shape
        Rows and columns of the scan.
    radius
        Standard deviation of the Gaussian in pixels.

    Examples
    --------
    >>> noise_gain((20, 20), 1.0)[0, :6].round(2)
    array([1.78, 1.4 , 1.33, 1.33, 1.33, 1.33], dtype=float32)
    """
    row, column = (_gain(length, radius) for length in shape)
    return np.outer(row, column).astype(np.float32)


def _gain(length: int, radius: float) -> NDArray[np.float64]:
    far = reach(radius)
    impulses = np.eye(2 * far + 1)  # the middle one is far from the borders
    inside = np.linalg.norm(gaussian_filter1d(impulses, radius, axis=0)[far])
    short = min(length, 4 * far + 1)
    near = np.linalg.norm(gaussian_filter1d(np.eye(short), radius, axis=0), axis=1) / inside
    return np.insert(near, short // 2, np.ones(length - short))
