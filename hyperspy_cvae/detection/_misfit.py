"""Residuals in units of a noise that they tell."""

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube, spectra_at
from hyperspy_cvae.detection._noise import Noise, estimate_noise
from hyperspy_cvae.sampling import some_of

_ENOUGH_COUNTS = 500_000  # to know two numbers
_LEAST_ELECTRONS = 0.1
_TINY = float(np.finfo(np.float32).tiny)


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
