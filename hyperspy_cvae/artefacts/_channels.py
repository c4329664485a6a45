"""Channels of a camera that are dead, stuck or flicker, found in the counts alone."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from hyperspy_cvae.blocks import Cube, spectra_at
from hyperspy_cvae.robust import quantile_deviation
from hyperspy_cvae.sampling import some_of

_ENOUGH, _FEWEST = 1000, 40  # spectra
_BESIDE = (-2, -1, 1, 2)  # channels that predict one
_AROUND = 17  # channels that say what noise is usual
_NOISIER = 3.0
_MOST = 0.02  # of the channels: more are structure
_FEW_COUNTS = 50.0  # that the channels beside have in all
_TINY = 1e-9


def noisy_channels(
    cube: Cube, usable: NDArray[np.bool_], alive: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return channels that flicker: their noise is three times that of the channels around.

    The noise is what a regression on the two channels to either side leaves over, in units of the
    counting noise. So a narrow line of the specimen, which these hold as well, is none. Fewer
    than 40 spectra say nothing of a channel.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(50.0, (20, 20, 100)).astype(np.float32)
    >>> counts[..., 33] = np.random.default_rng(1).exponential(200, (20, 20))
    >>> noisy_channels(counts, np.ones((20, 20), bool), np.ones(100, bool))
    array([33])
    """
    sample = some_of(usable, _ENOUGH)
    channels = cube.shape[2]
    if len(sample[0]) < _FEWEST or channels < _AROUND:
        return np.empty(0, np.intp)
    spectra = spectra_at(cube, sample).astype(np.float64)
    mean = np.maximum(spectra.mean(0), 0)
    spectra -= spectra.mean(0)
    beside = np.abs(np.arange(channels) + np.array(_BESIDE)[:, np.newaxis])
    beside = np.minimum(beside, 2 * (channels - 1) - beside)  # beyond the ends it is mirrored
    predictors = np.moveaxis(spectra[:, beside], 2, 0)  # channel, spectrum, beside
    products = np.swapaxes(predictors, 1, 2) @ predictors
    products += (1e-6 * np.trace(products, axis1=1, axis2=2)[:, None, None] + _TINY) * np.eye(4)
    with_own = np.einsum("csk,sc->ck", predictors, spectra)
    weights = np.linalg.solve(products, with_own[..., np.newaxis])[..., 0]
    left = spectra - np.einsum("csk,ck->sc", predictors, weights)
    unit = np.sqrt(np.maximum(mean, 0.05 * mean[mean > 0].mean() if (mean > 0).any() else 1))
    noise = quantile_deviation(left) / unit
    usual = median_filter(noise, _AROUND, mode="mirror")
    found = np.flatnonzero(alive & (usual > 0) & (noise > _NOISIER * usual))
    return found if len(found) <= max(1, _MOST * channels) else np.empty(0, np.intp)


def constant_channels(
    cube: Cube, usable: NDArray[np.bool_], alive: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return dead or stuck channels: they hold one number in all spectra, and those beside do not.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(50.0, (20, 20, 100)).astype(np.float32)
    >>> counts[..., 33] = 0
    >>> constant_channels(counts, np.ones((20, 20), bool), np.ones(100, bool))
    array([33])
    """
    spectra = spectra_at(cube, some_of(usable, _ENOUGH))
    if len(spectra) < 2:
        return np.empty(0, np.intp)
    constant = (spectra == spectra[0]).all(0)
    beside = np.pad(spectra.sum(0, dtype=np.float64), 2, mode="reflect")
    least = np.minimum(np.maximum(beside[:-4], beside[1:-3]), np.maximum(beside[3:-1], beside[4:]))
    return np.flatnonzero(alive & constant & (least > _FEW_COUNTS))
