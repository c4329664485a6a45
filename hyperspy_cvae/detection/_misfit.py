"""Scores that look at neighbouring pixels and channels at once, and at every dose."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import median_abs_deviation

from hyperspy_cvae.detection._noise import Noise, estimate_noise
from hyperspy_cvae.detection._pearson import pearson_correlation
from hyperspy_cvae.smoothing import noise_gain

RADIUS = 1.0  # pixels
_LEAST_ELECTRONS = 0.1
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
    sigma = (RADIUS, RADIUS, width)
    return pearson_correlation(gaussian_filter(measured, sigma), gaussian_filter(expected, sigma))


def noise_of(measured: NDArray[np.float32], expected: NDArray[np.float32]) -> Noise:
    """Return the estimated noise, with a read-out noise of at least a tenth of an electron.

    Less is not to be told from none, and a stray electron in vacuum would be a sensation.
    """
    noise = estimate_noise(measured, expected)
    return Noise(noise.gain, max(noise.read_noise, _LEAST_ELECTRONS * noise.gain))


def whitened_residual(
    measured: NDArray[np.float32], expected: NDArray[np.float32], judged: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    r"""Return residuals in units of the noise, and the noise, each ``(rows, columns, energy)``.

    .. math:: z_e = \frac{x_e - a r_e}{\sigma_e}, \qquad \sigma_e^2 = g r_e + n^2

    The factor :math:`a` of each spectrum, of its weighted least squares, is there because thickness
    is no anomaly. Gain :math:`g` and read-out noise :math:`n` are estimated from the residuals;
    see :func:`noise_of`.

    Parameters
    ----------
    measured
        Counts :math:`x`, finite.
    expected
        Their reconstruction :math:`r`, of the same shape.
    judged
        Pixels the noise is estimated from, ``(rows, columns)``.
    """
    # Less is not seen in float32, and keeps the weights in range where there is no noise.
    least = float(1e-6 * np.abs(expected[judged]).mean()) ** 2 + _TINY

    def scaled(noise: Noise) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        variance = np.maximum(noise.variance(expected), np.float32(least))
        weighted = expected / variance
        norm = np.einsum("rce,rce->rc", expected, weighted)
        factor = np.einsum("rce,rce->rc", measured, weighted) / np.maximum(norm, _TINY)
        return (factor[..., None] * expected).astype(np.float32), variance

    fitted, _ = scaled(Noise(1.0, 1.0))
    fitted, variance = scaled(noise_of(measured[judged], fitted[judged]))
    deviation = np.sqrt(variance)
    return ((measured - fitted) / deviation).astype(np.float32, copy=False), deviation


def misfit(
    residual: NDArray[np.float32], radius: float, width: float, judged: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the mean square of residuals that were smoothed over pixels and energy.

    As much noise is left in every pixel, also at the borders of the scan (see
    :func:`hyperspy_cvae.smoothing.noise_gain`). Every channel is in units of what it usually is, by
    its median absolute deviation over the scan: the correlation of the noise in neighbouring
    channels is in that, and so is what the reconstruction misses everywhere. That is no less than
    half of what white noise would leave.

    Parameters
    ----------
    residual
        In units of the noise, ``(rows, columns, energy)``; see :func:`whitened_residual`.
    radius, width
        Standard deviations of the Gaussian, in pixels and in channels.
    judged
        Pixels that say what is usual, ``(rows, columns)``.
    """
    smooth = gaussian_filter(residual, (radius, radius, width))
    smooth /= noise_gain(judged.shape, radius)[..., np.newaxis]
    usual = median_abs_deviation(smooth[judged], axis=0, scale="normal")
    # The mean square of white noise after a Gaussian of width s is 1 / (2 sqrt(pi) s) per axis.
    white = 1 / (4 * np.pi * radius**2) / max(1.0, 2 * np.sqrt(np.pi) * width)
    smooth /= np.maximum(usual, np.sqrt(white) / 2).astype(np.float32)
    return np.square(smooth).mean(-1, dtype=np.float64)
