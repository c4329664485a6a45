"""Gaussians over pixels and energy, and what they do to noise."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

_TRUNCATE = 4.0  # standard deviations, as scipy does


def smoothed(cube: NDArray[np.float32], radius: float, width: float = 0.0) -> NDArray[np.float32]:
    """Return a cube smoothed by a Gaussian: :func:`scipy.ndimage.gaussian_filter`, in threads.

    There are as many as torch uses, and the numbers are the same for any.

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
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        for axis, sigma in enumerate((radius, radius, width)):
            if sigma > 0:
                cube = _along(cube, axis, sigma, threads)
    return cube


def _along(
    cube: NDArray[np.float32], axis: int, sigma: float, threads: ThreadPoolExecutor
) -> NDArray[np.float32]:
    result = np.empty_like(cube)
    across = 1 if axis == 0 else 0

    def smooth(part: NDArray[np.intp]) -> None:
        some = (slice(None),) * across + (slice(part[0], part[-1] + 1),)
        gaussian_filter1d(cube[some], sigma, axis, output=result[some], truncate=_TRUNCATE)

    parts = np.array_split(np.arange(cube.shape[across]), torch.get_num_threads())
    list(threads.map(smooth, [part for part in parts if part.size]))
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
    reach = int(_TRUNCATE * radius + 0.5)
    impulses = np.eye(2 * reach + 1)  # the middle one is far from the borders
    inside = np.linalg.norm(gaussian_filter1d(impulses, radius, axis=0)[reach])
    short = min(length, 4 * reach + 1)
    near = np.linalg.norm(gaussian_filter1d(np.eye(short), radius, axis=0), axis=1) / inside
    return np.insert(near, short // 2, np.ones(length - short))
