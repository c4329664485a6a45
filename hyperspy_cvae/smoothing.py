"""What smoothing over pixels does to noise."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

_TRUNCATE = 4.0  # standard deviations, as scipy does


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
