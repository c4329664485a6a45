"""A second look at what a reconstruction does not fit within the noise."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, label

from hyperspy_cvae.blocks import Cube, blockwise, kept, spectra_at, sums, totals
from hyperspy_cvae.crossband import DARKEST, CrossBand
from hyperspy_cvae.robust import ROUNDING, robust_deviation
from hyperspy_cvae.shards import binned_blocks, energy_bands, fine_width
from hyperspy_cvae.smoothing import smoothed_blocks

_RADIUS = 1.5  # pixels
_ALLOWED, _CERTAIN = 8.0, 12.0  # robust standard deviations of the misfit
_FEWEST_NEIGHBOURS = 40
_FEWEST_OTHERS = 0.25  # of the channels
_MARGIN = 2  # pixels around what is doubted that say nothing about the bulk


def second_look(intensities: Cube, first: Cube) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    r"""Replace what a reconstruction does not fit by what the rest of the spectrum lets expect.

    A network that is shown something foreign follows it in part. Where bands of energies are
    doubted (see :func:`doubt`), they are expected anew from what they do not hold: of the other
    pixels of the scan, those count that are alike in all other energies, and near. Their spectra
    take the place of the reconstruction as far as it is doubted, and every spectrum keeps its sum.

    Who is alike is told by the spectra without the doubted bands, smoothed over 1.5 pixels; see
    :class:`hyperspy_cvae.crossband.CrossBand`. Pixels doubted in the same bands are no neighbours.
    All but the spectra put in their place is told in channels half as wide as fine structure.
    Where nothing is alike, the reconstruction stays. So it does where less than a quarter of the
    channels is not doubted, or these hold hardly any counts.

    Parameters
    ----------
    intensities
        What was measured, ``(rows, columns, energy)``.
    first
        Its reconstruction, of the same shape; left as it is.

    Returns
    -------
    mended : numpy.ndarray
        Pixels whose reconstruction is to be replaced, boolean ``(rows, columns)``.
    spectra : numpy.ndarray
        What takes its place, ``(pixels, energy)``.
    """
    channels = intensities.shape[2]
    width = max(1, fine_width(channels) // 2)
    fewer = channels // width
    measured, expected = (kept(binned_blocks(each, width)) for each in (intensities, first))
    bands = energy_bands(fewer)
    doubts = doubt(measured, expected, bands > 0)
    mended = np.zeros(doubts.shape[1:], bool)
    regions, count = label(doubts.any(0), np.ones((3, 3)))
    if not count:
        return mended, np.empty((0, channels), np.float32)
    everything = np.ones(fewer, bool)
    faintest = DARKEST * np.abs(sums(measured, everything)).mean()
    has_counts = sums(expected, everything) > 0
    smooth = kept(smoothed_blocks(measured, _RADIUS))
    # Channels left over at the end are part of the last coarse one.
    coarse = np.minimum(np.arange(channels) // width, fewer - 1)
    doubted_spectra = spectra_at(first, regions > 0)
    spectra = np.empty_like(doubted_spectra)
    places = np.cumsum(regions.ravel() > 0).reshape(regions.shape) - 1
    alike: dict[bytes, list[int]] = {}  # regions by the channels that are doubted in them
    for number in range(1, count + 1):
        away = np.any(doubts[:, regions == number].T @ bands, axis=0)
        alike.setdefault(away.tobytes(), []).append(number)
    for channels_away, numbers in alike.items():
        away = np.frombuffer(channels_away, bool)
        if (~away).mean() < _FEWEST_OTHERS:
            continue
        known = sums(measured, ~away) > faintest
        region = np.isin(regions, numbers) & known & has_counts
        foreign = doubts[(bands[:, away] > 0).any(1)].any(0)
        donors = known & ~binary_dilation(foreign, iterations=_MARGIN)
        if donors.sum() < _FEWEST_NEIGHBOURS or not region.any():
            continue
        hidden = away[coarse]
        found = doubted_spectra[places[region]]
        total = found.sum(1, keepdims=True)
        crossband = CrossBand(intensities, smooth[..., ~away], hidden, donors)
        bulk, trusted = crossband.expected(region)
        bulk *= found[:, ~hidden].sum(1, keepdims=True)
        doubted = np.minimum(doubts[:, region].T @ bands[:, coarse[hidden]], 1) * trusted
        found[:, hidden] += doubted * (bulk - found[:, hidden])
        found *= total / found.sum(1, keepdims=True)
        spectra[places[region]] = found
        mended |= region
    return mended, spectra[places[mended]]


def doubt(intensities: Cube, spectra: Cube, parts: NDArray[np.bool_]) -> NDArray[np.float32]:
    r"""Return how far parts of the spectra are to be doubted, 0 to 1, ``(parts, rows, columns)``.

    The misfit of a part of a spectrum is

    .. math::

       \chi^2 = \sum_e \frac{(x_e - a r_e)^2}{\sigma_e^2} \Big/ \sum_e \frac{r_e}{\bar r_e},
       \qquad a = \sum_e \frac{x_e r_e}{\sigma_e^2} \Big/ \sum_e \frac{r_e^2}{\sigma_e^2}

    with the variance :math:`\sigma_e^2` of the residual :math:`x_e - r_e` and the mean
    :math:`\bar r_e` of the reconstruction over the scan, averaged over neighbouring pixels. The
    factor :math:`a` is there because something foreign elsewhere in the spectrum changes the sum to
    which the reconstruction is scaled. What the misfit of a scan is by its noise is told by its
    median and its median absolute deviation: up to 8 such standard deviations above the median
    nothing is doubted, and from 12 on everything. Pixels with less than 5 % of the mean intensity
    are not doubted, and are left out of the median.

    Parameters
    ----------
    intensities
        What was measured, ``(rows, columns, energy)``.
    spectra
        Its reconstruction, of the same shape.
    parts
        The channels of each part, boolean ``(parts, energy)``.
    """
    rows, columns, channels = intensities.shape
    moments = totals(_moments, intensities, spectra) / (rows * columns)
    variance, mean = moments[:channels], moments[channels:]
    counted = parts & (variance > (ROUNDING * mean) ** 2) & (mean > 0)
    number = np.maximum(counted.sum(1), 1)
    weights = (counted / np.where(variance > 0, variance, 1)).T.astype(np.float32)
    shares = (counted / np.where(mean > 0, mean, 1)).T.astype(np.float32)

    def misfits_and_brightnesses(
        measured: NDArray[np.float32], expected: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        # With the residual d = x - r the square of x - a r is (d^2) - (d r)^2 / (r^2), summed up.
        residual = measured - expected
        product = (residual * expected) @ weights
        norm = np.square(expected) @ weights
        misfit = np.square(residual, out=residual) @ weights
        misfit -= np.square(product) / np.where(norm > 0, norm, 1)
        return np.concatenate([misfit, expected @ shares], axis=2)

    both = blockwise(misfits_and_brightnesses, intensities, spectra, channels=2 * len(parts))
    misfits, brightnesses = np.split(both.compute() / np.tile(number, 2), 2, axis=2)
    doubts = np.zeros((len(parts), *spectra.shape[:2]), np.float32)
    for part in np.flatnonzero(counted.sum(1) > 1):
        brightness = brightnesses[..., part]
        misfit = misfits[..., part]
        misfit = gaussian_filter(misfit / np.maximum(brightness, DARKEST), _RADIUS)
        bright = brightness > DARKEST
        deviation = (
            robust_deviation(misfit[bright], np.median(misfit[bright])) if bright.any() else 0
        )
        if deviation > 0:
            excess = (misfit - np.median(misfit[bright])) / deviation
            doubted = np.clip((excess - _ALLOWED) / (_CERTAIN - _ALLOWED), 0, 1)
            doubts[part] = np.where(bright, doubted, 0)
    return doubts


def _moments(measured: NDArray[np.float32], expected: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sums of squared residuals and of what is expected, one after the other."""
    squares = np.square(measured - expected).sum((0, 1), dtype=np.float64)
    return np.concatenate([squares, expected.sum((0, 1), dtype=np.float64)])
