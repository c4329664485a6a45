"""Scores that look at neighbouring pixels and channels at once, and at every dose."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import median_abs_deviation

from hyperspy_cvae.detection._noise import Noise, estimate_noise
from hyperspy_cvae.detection._pearson import pearson_correlation

_RADIUS = 1.0  # pixels
_TINY = float(np.finfo(np.float32).tiny)


def smoothed_pearson(
    measured: NDArray[np.float32], expected: NDArray[np.float32], width: float
) -> NDArray[np.float64]:
    """Return the Pearson correlation of spectra that were smoothed over pixels and energy.

    Both sides are smoothed by the same Gaussian: one pixel, and ``width`` channels.

    Parameters
    ----------
    measured
        Counts ``(rows, columns, energy)``, finite.
    expected
        Their reconstruction, of the same shape.
    width
        Standard deviation over energy in channels.
    """
    sigma = (_RADIUS, _RADIUS, width)
    return pearson_correlation(gaussian_filter(measured, sigma), gaussian_filter(expected, sigma))


def whitened_residual(
    measured: NDArray[np.float32], expected: NDArray[np.float32]
) -> NDArray[np.float32]:
    r"""Return residuals in units of the noise, ``(rows, columns, energy)``.

    .. math:: z_e = \frac{x_e - a r_e}{\sigma_e}, \qquad \sigma_e^2 = g r_e + n^2

    The factor :math:`a` of each spectrum, of its weighted least squares, is there because thickness
    is no anomaly. Gain :math:`g` and read-out noise :math:`n` are estimated from the residuals;
    see :func:`estimate_noise`.

    Parameters
    ----------
    measured
        Counts :math:`x`, finite.
    expected
        Their reconstruction :math:`r`, of the same shape.
    """

    # Less is not seen in float32, and keeps the weights in range where there is no noise.
    least = np.float32(1e-6 * np.abs(expected).mean()) ** 2 + _TINY

    def scaled(noise: Noise) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        variance = np.maximum(noise.variance(expected), least)
        weighted = expected / variance
        norm = np.einsum("rce,rce->rc", expected, weighted)
        factor = np.einsum("rce,rce->rc", measured, weighted) / np.maximum(norm, _TINY)
        return (factor[..., None] * expected).astype(np.float32), variance

    fitted, _ = scaled(Noise(1.0, 1.0))
    noise = estimate_noise(measured, fitted)
    fitted, variance = scaled(noise)
    return ((measured - fitted) / np.sqrt(variance)).astype(np.float32, copy=False)


def misfit(residual: NDArray[np.float32], width: float) -> NDArray[np.float64]:
    """Return the mean square of residuals that were smoothed over pixels and energy.

    Every channel is in units of what it usually is, by its median absolute deviation over the
    scan: the correlation of the noise in neighbouring channels is in that, and so is what the
    reconstruction misses everywhere.

    Parameters
    ----------
    residual
        In units of the noise, ``(rows, columns, energy)``; see :func:`whitened_residual`.
    width
        Standard deviation of the Gaussian over energy in channels; over pixels it is 1.
    """
    smooth = gaussian_filter(residual, (_RADIUS, _RADIUS, width))
    usual = median_abs_deviation(smooth, axis=(0, 1), scale="normal")
    return np.square(smooth / np.maximum(usual, _TINY)).mean(-1, dtype=np.float64)
