"""A second look at what a reconstruction does not fit within the noise."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, label
from scipy.sparse import csr_array
from scipy.stats import median_abs_deviation
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from hyperspy_cvae.shards import energy_bands

_RADIUS = 1.5  # pixels
_ALLOWED, _CERTAIN = 8.0, 12.0  # robust standard deviations of the misfit
_DARKEST = 0.05  # of the mean spectrum
_COMPONENTS = 12
_ENOUGH_SPECTRA = 8000  # to know the components
_NEIGHBOURS, _FEWEST_NEIGHBOURS = 100, 40
_FAR = 4.0  # pixels that count as one standard deviation of the noise
_FEWEST_OTHERS = 0.25  # of the channels
_MARGIN = 2  # pixels around what is doubted that say nothing about the bulk
_LARGEST_GAIN = 0.5  # of the noise of a neighbour, as a variance
_RIDGE = 1e-3
_ENOUGH_PIXELS = 400  # to know how alike neighbours are
_PIXELS_AT_ONCE = 256


def second_look(
    intensities: NDArray[np.float32], first: NDArray[np.float32]
) -> NDArray[np.float32]:
    r"""Replace what a reconstruction does not fit by what the rest of the spectrum lets expect.

    A network that is shown something foreign follows it in part. Where bands of energies are
    doubted (see :func:`doubt`), they are expected anew from what they do not hold: of the other
    pixels of the scan, those count that are alike in all other energies, and near. Their spectra
    take the place of the reconstruction as far as it is doubted, and every spectrum keeps its sum.

    Let :math:`f` be the twelve principal components of the spectra without the doubted bands,
    smoothed over 1.5 pixels, in units of the smallest standard deviation of a component. The 100
    nearest pixels in :math:`f` and place, of which 4 pixels count as much as one unit, are fitted
    by a linear function of :math:`f` (local linear regression), whose value at the pixel is what is
    expected there. Pixels doubted in the same bands are no neighbours. Where the mean of the
    neighbours is farther in :math:`f` than for 95 % of the pixels outside, nothing is alike, and
    the reconstruction stays, from twice that squared distance on wholly. So it does where less
    than a quarter of the channels is not doubted, or these hold hardly any counts.

    Parameters
    ----------
    intensities
        What was measured, ``(rows, columns, energy)``.
    first
        Its reconstruction, of the same shape; left as it is.

    Returns
    -------
    numpy.ndarray
        The reconstruction, of the same shape; ``first`` itself where nothing is doubted.

    References
    ----------
    W. S. Cleveland, J. Am. Stat. Assoc. 74 (1979) 829, on local linear regression.
    """
    bands = energy_bands(intensities.shape[2])
    doubts = np.stack([doubt(intensities[..., b], first[..., b]) for b in map(_extent, bands)])
    regions, count = label(doubts.any(0), np.ones((3, 3)))
    if not count:
        return first
    spectra = first.copy()
    faintest = _DARKEST * np.abs(intensities.sum(-1)).mean()
    has_counts = first.sum(-1) > 0
    smooth = gaussian_filter(intensities, (_RADIUS, _RADIUS, 0))
    places: dict[bytes, NDArray[np.float64]] = {}
    for number in range(1, count + 1):
        region = regions == number
        hidden = np.any(doubts[:, region].T @ bands, axis=0)
        if (~hidden).mean() < _FEWEST_OTHERS:
            continue
        known = intensities @ (~hidden).astype(np.float32) > faintest
        region &= known & has_counts
        foreign = doubts[(bands[:, hidden] > 0).any(1)].any(0)
        donors = known & ~binary_dilation(foreign, iterations=_MARGIN)
        if donors.sum() < _FEWEST_NEIGHBOURS or not region.any():
            continue
        if (key := hidden.tobytes()) not in places:
            places[key] = _places(smooth[..., ~hidden])
        found = first[region]
        expected, trusted = _expected(intensities, places[key], region, donors, hidden)
        expected *= found[:, ~hidden].sum(1, keepdims=True)
        doubted = np.minimum(doubts[:, region].T @ bands[:, hidden], 1) * trusted
        found[:, hidden] += doubted * (expected - found[:, hidden])
        found *= first[region].sum(1, keepdims=True) / found.sum(1, keepdims=True)
        spectra[region] = found
    return spectra


def doubt(intensities: NDArray[np.float32], spectra: NDArray[np.float32]) -> NDArray[np.float32]:
    r"""Return how far a part of the spectra is to be doubted, 0 to 1, ``(rows, columns)``.

    The misfit of a pixel is

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
    """
    variance = np.square(intensities - spectra).mean((0, 1))
    mean = spectra.mean((0, 1))
    varies = (variance > 0) & (mean > 0)
    if varies.sum() < 2:
        return np.zeros(spectra.shape[:2], np.float32)
    deviations = np.sqrt(variance[varies])
    measured, fitted = intensities[..., varies] / deviations, spectra[..., varies] / deviations
    square = np.einsum("rce,rce->rc", fitted, fitted)
    scale = np.einsum("rce,rce->rc", measured, fitted) / np.where(square > 0, square, 1)
    misfit = np.square(measured - scale[..., np.newaxis] * fitted).mean(-1)
    brightness = (spectra[..., varies] / mean[varies]).mean(-1)
    misfit = gaussian_filter(misfit / np.maximum(brightness, _DARKEST), _RADIUS)
    bright = brightness > _DARKEST
    deviation = median_abs_deviation(misfit[bright], scale="normal") if bright.any() else 0
    if deviation == 0:
        return np.zeros(spectra.shape[:2], np.float32)
    excess = (misfit - np.median(misfit[bright])) / deviation
    doubted = np.clip((excess - _ALLOWED) / (_CERTAIN - _ALLOWED), 0, 1)
    return np.where(bright, doubted, 0).astype(np.float32)


def _extent(band: NDArray[np.float32]) -> slice:
    inside = np.flatnonzero(band)
    return slice(inside[0], inside[-1] + 1)


def _places(spectra: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return pixels by their spectra and where they are, ``(rows, columns, components + 2)``."""
    shape = spectra.shape[:2]
    total = spectra.sum(-1, keepdims=True)
    flat = spectra / np.maximum(total, _DARKEST * np.abs(total).mean())
    flat = flat.reshape(-1, spectra.shape[2])
    mean = flat.mean(0)
    flat /= np.sqrt(np.maximum(mean, 1e-3 * np.abs(mean).mean()))
    chosen = flat[:: -(-len(flat) // _ENOUGH_SPECTRA)]
    components = min(_COMPONENTS, len(chosen), chosen.shape[1] - 1)
    pca = PCA(components, svd_solver="randomized", random_state=0).fit(chosen)
    unit = max(np.sqrt(pca.explained_variance_[-1]), np.finfo(np.float32).tiny)
    place = np.moveaxis(np.indices(shape), 0, -1) / _FAR
    return np.concatenate([pca.transform(flat).reshape(*shape, -1) / unit, place], -1)


def _expected(
    intensities: NDArray[np.float32],
    places: NDArray[np.float64],
    region: NDArray[np.bool_],
    donors: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the hidden channels of a region over the sum of its others, ``(pixels, hidden)``.

    And how far that is to be trusted, 0 to 1, ``(pixels, 1)``: not where the neighbours are less
    alike than those of nearly all pixels outside are.
    """
    pool, wanted = places[donors], places[region]
    number = min(_NEIGHBOURS, len(pool) - 1)
    search = NearestNeighbors(n_neighbors=number, algorithm="brute").fit(pool)
    nearest = search.kneighbors(wanted, return_distance=False)
    sample = np.arange(0, len(pool), -(-len(pool) // _ENOUGH_PIXELS))
    among = search.kneighbors(pool[sample], number + 1, return_distance=False)[:, 1:]
    elsewhere = _unlikeness(pool[among] - pool[sample, np.newaxis])
    usual = max(float(np.quantile(elsewhere, 0.95)), float(np.finfo(np.float32).tiny))
    used, neighbours = np.unique(nearest, return_inverse=True)
    spectra = intensities[np.unravel_index(np.flatnonzero(donors)[used], donors.shape)]
    shares = spectra[:, hidden] / spectra[:, ~hidden].sum(1, keepdims=True)
    weights, unlikeness = np.empty(nearest.shape, np.float32), np.empty(len(wanted))
    for begin in range(0, len(wanted), _PIXELS_AT_ONCE):
        some = slice(begin, begin + _PIXELS_AT_ONCE)
        offsets = pool[nearest[some]] - wanted[some, np.newaxis]
        weights[some], unlikeness[some] = _weights(offsets), _unlikeness(offsets)
    trusted = np.clip(2 - unlikeness / usual, 0, 1)[:, np.newaxis].astype(np.float32)
    rows = np.arange(0, weights.size + 1, number)
    combine = csr_array((weights.ravel(), neighbours.ravel(), rows), (len(wanted), len(used)))
    return np.maximum(combine @ shares, 0), trusted


def _unlikeness(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared distance of the neighbours' mean spectrum, ``(pixels,)``."""
    return np.square(offsets[..., :-2].mean(1)).sum(1)


def _weights(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights with which a local linear fit combines neighbours, ``(pixels, number)``.

    ``offsets`` ``(pixels, number, components + 2)`` are the neighbours' places from the pixel's.
    """
    terms = offsets.copy()
    terms[..., -2] = 1  # of the place only the constant is fitted
    terms = terms[..., :-1]
    normal = np.swapaxes(terms, 1, 2) @ terms
    slopes = np.arange(terms.shape[2] - 1)
    ridge = _RIDGE * normal[:, slopes, slopes].mean(1, keepdims=True)
    normal[:, slopes, slopes] += ridge + np.finfo(np.float32).tiny
    constant = np.zeros(terms.shape[2])
    constant[-1] = 1
    solution = np.linalg.solve(normal, np.broadcast_to(constant[:, None], (*normal.shape[:2], 1)))
    weights = (terms @ solution)[..., 0]
    # Where neighbours lie to one side a linear fit extrapolates, and would amplify their noise.
    mean = 1 / weights.shape[1]
    excess = np.square(weights).sum(1, keepdims=True) - mean
    linear = np.sqrt(np.minimum(1, (_LARGEST_GAIN - mean) / np.maximum(excess, 1e-9)))
    return mean + linear * (weights - mean)
