"""What is left over in patches of bulk: how far the mean of a region may be off by itself."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube, spectra_at
from hyperspy_cvae.detection._misfit import whitened
from hyperspy_cvae.detection._noise import Noise
from hyperspy_cvae.sampling import some

_PATCHES, _LARGEST = 80, 144  # patches; pixels in one of them
_APART = 30  # patches that do not overlap
_PARTS = 2  # of a side of a patch: more rectangles would tell little more


@dataclass(frozen=True)
class BulkDeviations:
    r"""How far the mean of a region is off by itself, told by smaller patches of bulk.

    The mean of :math:`N` pixels is off by noise, whose variance goes as :math:`1/N`, and by a
    misfit of the reconstruction, which neighbours have in common. Of a weighted sum of channels
    with the variance :math:`V_n` in patches of :math:`n` pixels, and :math:`V` of the noise of one
    pixel, it is

    .. math:: \frac{V}{N} + \max\left(V_n - \frac{V}{n},\, 0\right).

    So a misfit is taken to be as large in a region as in a patch, though it may average out in part
    over a larger one: errors are rather too large.

    Attributes
    ----------
    means
        Mean residuals of patches, ``(patches, energy)``, in standard deviations of a pixel.
    noise
        Covariance of the noise of one pixel in these units, ``(energy, energy)``.
    patch, region
        Pixels in a patch and in the region.
    """

    means: NDArray[np.float64]
    noise: NDArray[np.float64]
    patch: int
    region: int

    def errors(
        self, weights: NDArray[np.floating], channels: slice = slice(None)
    ) -> NDArray[np.float64]:
        """Return the standard errors of weighted sums of channels of the region's mean.

        They are in standard errors of the mean as noise alone makes it, that is, in standard
        deviations of a pixel over the root of the region's size.

        Parameters
        ----------
        weights
            One row for each sum, ``(sums, channels)``.
        channels
            Which channels they are of.

        Examples
        --------
        >>> means = np.array([[0.1, 0.2], [-0.1, 0.2]])  # noise, and a misfit everywhere
        >>> BulkDeviations(means, np.eye(2), patch=100, region=400).errors(np.eye(2)).round(1)
        array([1. , 3.6])
        """
        noise = (weights @ self.noise[channels, channels] * weights).sum(1)
        patches = np.square(self.means[:, channels] @ weights.T).mean(0)
        misfit = np.maximum(patches - noise / self.patch, 0)
        errors: NDArray[np.float64] = np.sqrt(noise + self.region * misfit)
        return errors


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


def patch_noise(residuals: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the covariance of channels within patches: what averages out, ``(energy, energy)``.

    It is 0 if a patch is one pixel: nothing is known to average out then.
    """
    patches, height, width, energy = residuals.shape
    within = (residuals - residuals.mean((1, 2), keepdims=True)).reshape(-1, energy)
    freedom = max(1, patches * (height * width - 1))
    return np.asarray(within.T @ within / freedom, dtype=np.float64)


def patch_means(residuals: NDArray[np.float32], size: int) -> tuple[NDArray[np.float64], int]:
    """Return means of rectangles of so many pixels or less, ``(n, energy)``, and how many it is.

    Examples
    --------
    >>> means, pixels = patch_means(np.ones((80, 7, 7, 5), np.float32), 11)
    >>> means.shape, pixels
    ((320, 5), 9)
    """
    patches, height, width, energy = residuals.shape
    rows, columns = _sides(size, (height, width))
    down, across = min(height // rows, _PARTS), min(width // columns, _PARTS)
    parts = residuals[:, : down * rows, : across * columns]
    parts = parts.reshape(patches, down, rows, across, columns, energy)
    means = parts.mean((2, 4), dtype=np.float64).reshape(-1, energy)
    return means, rows * columns


def _sides(size: int, most: tuple[int, ...]) -> tuple[int, int]:
    rows = min(round(np.sqrt(size)), most[0])
    return rows, min(size // rows, most[1])
