"""A second look at what a reconstruction does not fit within the noise."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import median_abs_deviation

from hyperspy_cvae.training import energy_bands

_RADIUS = 1.5  # pixels
_ALLOWED, _CERTAIN = 8.0, 12.0  # robust standard deviations of the misfit
_DARKEST = 0.05  # of the mean spectrum


def second_look(
    intensities: NDArray[np.float32],
    first: NDArray[np.float32],
    from_the_rest: Callable[[slice, NDArray[np.bool_]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Replace what a reconstruction does not fit by what the rest of the spectrum lets expect.

    A network that is shown something foreign follows it in part. Where a band of energies is
    doubted, its reconstruction from the other energies takes the place of the first one, as far
    as it is doubted; every spectrum keeps its sum.

    Parameters
    ----------
    intensities
        What was measured, ``(rows, columns, energy)``.
    first
        Its reconstruction, of the same shape; left as it is.
    from_the_rest
        Reconstructs the channels of a band from all others, where a mask ``(rows, columns)`` is
        True.
    """
    doubts = [
        (band, share, doubt(intensities[..., band], first[..., band]))
        for band, share in energy_bands(intensities.shape[2])
    ]
    changed = np.any([doubted > 0 for _, _, doubted in doubts], axis=0)
    if not changed.any():
        return first
    spectra = first.copy()
    for band, share, doubted in doubts:
        where = doubted > 0
        if where.any():
            difference = from_the_rest(band, where) - first[..., band]
            spectra[..., band] += doubted[..., np.newaxis] * share * difference
    total = spectra[changed].sum(-1, keepdims=True)
    spectra[changed] *= first[changed].sum(-1, keepdims=True) / np.where(total > 0, total, 1)
    return spectra


def doubt(intensities: NDArray[np.float32], spectra: NDArray[np.float32]) -> NDArray[np.float32]:
    r"""Return how far a part of the spectra is to be doubted, 0 to 1, ``(rows, columns)``.

    The misfit of a pixel is

    .. math:: \chi^2 = \sum_e \frac{(x_e - r_e)^2}{\sigma_e^2} \Big/ \sum_e \frac{r_e}{\bar r_e}

    with the variance :math:`\sigma_e^2` of the residual and the mean :math:`\bar r_e` of the
    reconstruction over the scan, averaged over neighbouring pixels. What the misfit of a scan is
    by its noise is told by its median and its median absolute deviation: up to 8 such standard
    deviations above the median nothing is doubted, and from 12 on everything.

    Parameters
    ----------
    intensities
        What was measured, ``(rows, columns, energy)``.
    spectra
        Its reconstruction, of the same shape.
    """
    residual = np.square(intensities - spectra)
    variance = residual.mean((0, 1))
    mean = spectra.mean((0, 1))
    varies = (variance > 0) & (mean > 0)
    if not varies.any():
        return np.zeros(spectra.shape[:2], np.float32)
    brightness = (spectra[..., varies] / mean[varies]).mean(-1)
    misfit = (residual[..., varies] / variance[varies]).mean(-1)
    misfit = gaussian_filter(misfit / np.maximum(brightness, _DARKEST), _RADIUS)
    deviation = median_abs_deviation(misfit, axis=None, scale="normal")
    if deviation == 0:
        return np.zeros(spectra.shape[:2], np.float32)
    excess = (misfit - np.median(misfit)) / deviation
    return np.clip((excess - _ALLOWED) / (_CERTAIN - _ALLOWED), 0, 1).astype(np.float32)
