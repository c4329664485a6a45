"""Scores that look at neighbouring pixels and channels at once, and at every dose."""

from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray
from scipy.stats import median_abs_deviation

from hyperspy_cvae.blocks import Cube, blockwise, kept, spectra_at, to_map
from hyperspy_cvae.detection._noise import Noise, estimate_noise
from hyperspy_cvae.detection._pearson import pearson_correlation
from hyperspy_cvae.sampling import some_of
from hyperspy_cvae.smoothing import noise_gain, reach, smoothed

RADIUS = 1.0  # pixels
_ENOUGH_PIXELS = 4000  # to know what is usual to a few per cent
_ENOUGH_COUNTS = 500_000  # to know two numbers
_LEAST_ELECTRONS = 0.1
_ROUNDING = 8 * float(np.finfo(np.float32).eps)
_TINY = float(np.finfo(np.float32).tiny)


def smoothed_pearson(measured: Cube, expected: Cube, width: float) -> NDArray[np.float64]:
    """Return the Pearson correlation of spectra that were smoothed over pixels and energy.

    Both sides are smoothed by the same Gaussian: one pixel, and ``width`` channels. NaN where one
    of them is constant then.

    Parameters
    ----------
    measured
        Counts ``(rows, columns, energy)``, finite.
    expected
        Their reconstruction, of the same shape.
    width
        Standard deviation over energy in channels.
    """

    def correlation(*blocks: NDArray[np.float32]) -> NDArray[np.float64]:
        spectra = [smoothed(each, RADIUS, width) for each in blocks]
        found = pearson_correlation(*spectra)
        for each in spectra:
            lowest, highest = each.min(-1), each.max(-1)
            # That is constant, but for the rounding of sums.
            found[highest - lowest <= _ROUNDING * np.maximum(abs(lowest), abs(highest))] = np.nan
        return found

    return to_map(correlation, measured, expected, reach=reach(RADIUS))


def some_spectra(pixels: NDArray[np.bool_], *cubes: Cube) -> tuple[NDArray[np.float32], ...]:
    """Return spectra of each of the cubes, ``(n, energy)``, as many as tell the noise."""
    some = some_of(pixels, max(1, _ENOUGH_COUNTS // cubes[0].shape[2]))
    return tuple(spectra_at(cube, some) for cube in cubes)


def noise_of(measured: NDArray[np.float32], expected: NDArray[np.float32]) -> Noise:
    """Return the estimated noise, with a read-out noise of at least a tenth of an electron.

    Less is not to be told from none, and a stray electron in vacuum would be a sensation. Nor is it
    less than a millionth of the mean, which is not seen in float32.
    """
    noise = estimate_noise(measured, expected)
    least = float(1e-6 * np.abs(expected).mean() + np.sqrt(_TINY))
    return Noise(noise.gain, max(noise.read_noise, _LEAST_ELECTRONS * noise.gain, least))


def whitened_residual(measured: Cube, expected: Cube, judged: NDArray[np.bool_]) -> da.Array:
    r"""Return residuals in units of the noise, ``(rows, columns, energy)``.

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
    noise = fitted_noise(*some_spectra(judged, measured, expected))

    def residual(measured: NDArray[np.float32], expected: NDArray[np.float32]) -> Any:
        return whitened(measured, expected, noise)

    return blockwise(residual, measured, expected, channels=measured.shape[2])


def fitted_noise(measured: NDArray[np.float32], expected: NDArray[np.float32]) -> Noise:
    """Return the noise of spectra to which what is expected is scaled."""
    return noise_of(measured, _fitted(measured, expected, Noise(1.0, 1.0))[0])


def whitened(
    measured: NDArray[np.float32], expected: NDArray[np.float32], noise: Noise
) -> NDArray[np.float32]:
    """Return residuals ``(..., energy)`` in units of a noise that is known."""
    fitted, variance = _fitted(measured, expected, noise)
    residual = np.subtract(measured, fitted, out=fitted)
    residual /= np.sqrt(variance, out=variance)
    return residual


def _fitted(
    measured: NDArray[np.float32], expected: NDArray[np.float32], noise: Noise
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what is expected, scaled to what was measured, and the variance of the noise."""
    variance = noise.variance(expected).astype(np.float32, copy=False)
    weighted = expected / variance
    norm = np.einsum("...e,...e->...", expected, weighted)
    factor = np.einsum("...e,...e->...", measured, weighted) / np.maximum(norm, _TINY)
    return np.multiply(expected, factor[..., np.newaxis], out=weighted), variance


def misfit(
    residual: Cube, radius: float, width: float, judged: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the mean square of residuals that were smoothed over pixels and energy.

    As much noise is left in every pixel, also at the borders of the scan (see
    :func:`hyperspy_cvae.smoothing.noise_gain`). Every channel is in units of what it usually is, by
    its median absolute deviation over the scan, or 4000 pixels of it: the correlation of the noise
    in neighbouring channels is in that, and so is what the reconstruction misses everywhere. That
    is no less than half of what white noise would leave.

    Parameters
    ----------
    residual
        In units of the noise, ``(rows, columns, energy)``; see :func:`whitened_residual`.
    radius, width
        Standard deviations of the Gaussian, in pixels and in channels.
    judged
        Pixels that say what is usual, ``(rows, columns)``.
    """

    def steady(block: NDArray[np.float32], gain: NDArray[np.float32]) -> NDArray[np.float32]:
        return smoothed(block, radius, width) / gain

    gain = noise_gain(judged.shape, radius)
    channels = residual.shape[2]
    smooth = kept(blockwise(steady, residual, gain, channels=channels, reach=reach(radius)))
    usual = median_abs_deviation(
        spectra_at(smooth, some_of(judged, _ENOUGH_PIXELS)), axis=0, scale="normal"
    )
    # The mean square of white noise after a Gaussian of width s is 1 / (2 sqrt(pi) s) per axis.
    white = 1 / (4 * np.pi * radius**2) / max(1.0, 2 * np.sqrt(np.pi) * width)
    unit = np.maximum(usual, np.sqrt(white) / 2).astype(np.float32)
    return to_map(lambda block: np.square(block / unit).mean(-1, dtype=np.float64), smooth)
