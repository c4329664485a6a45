"""Which spectra of a scan a half-trained network finds foreign."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import median_abs_deviation

from hyperspy_cvae.shards import energy_bands
from hyperspy_cvae.smoothing import noise_gain

_RADIUS = 1.5  # pixels
_FAINTEST = 0.05  # of the mean spectrum
_TINY = float(np.finfo(np.float32).tiny)


def outlyingness(
    measured: NDArray[np.float32], expected: NDArray[np.float32], use: NDArray[np.bool_]
) -> NDArray[np.float64]:
    r"""Return how far spectra are from what a network makes of them, beside the others of the scan.

    Residuals are divided by the root of what is expected, as noise of counts is, smoothed over
    pixels, and brought to unit deviation in every channel. In each of the overlapping bands of
    :func:`hyperspy_cvae.shards.energy_bands`, the cube root of their mean square is in robust
    standard deviations above its median; the largest of the bands counts. So a spectrum that does
    not fit in one edge is farther out than one that fits a little worse everywhere, as the bulk
    does that is rare.

    Parameters
    ----------
    measured
        Intensities ``(rows, columns, energy)``, in channels as wide as fine structure.
    expected
        The network's, of the same shape.
    use
        Spectra that say what is usual, boolean ``(rows, columns)``; not none.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> expected = np.full((30, 30, 40), 50, np.float32)
    >>> measured = rng.poisson(expected).astype(np.float32)
    >>> measured[10:14, 10:14, 30:34] += 15
    >>> far = outlyingness(measured, expected, np.ones((30, 30), bool))
    >>> bool(far[10:14, 10:14].mean() > np.quantile(far, 0.98))
    True
    """
    faintest = _FAINTEST * np.abs(expected[use]).mean(0) + _TINY
    residual = (measured - expected) / np.sqrt(np.maximum(expected, faintest))
    smooth = gaussian_filter(residual, (_RADIUS, _RADIUS, 0))
    smooth /= noise_gain(use.shape, _RADIUS)[..., np.newaxis]
    smooth /= median_abs_deviation(smooth[use], axis=0, scale="normal") + _TINY
    farthest = np.full(use.shape, -np.inf)
    for band in energy_bands(smooth.shape[2]):
        misfit = np.cbrt(np.square(smooth) @ (band / band.sum()))
        spread = median_abs_deviation(misfit[use], scale="normal") + _TINY
        farthest = np.maximum(farthest, (misfit - np.median(misfit[use])) / spread)
    return farthest
