"""What the rest of a spectrum lets expect in a band of energies, told by pixels that are alike."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

DARKEST = 0.05
"""Of the mean spectrum: with less, a spectrum says little of itself."""

_COMPONENTS = 12
_ENOUGH_SPECTRA = 8000  # to know the components
_NEIGHBOURS = 100
_FAR = 4.0  # pixels that count as one standard deviation of the noise
_LARGEST_GAIN = 0.5  # of the noise of a neighbour, as a variance
_RIDGE = 1e-3
_ENOUGH_PIXELS = 400  # to know how alike neighbours are
_PIXELS_AT_ONCE = 256


class CrossBand:
    r"""What the rest of every spectrum of a scan lets expect in its hidden channels.

    Let :math:`f` be the twelve principal components of the spectra without the hidden channels, in
    units of the smallest standard deviation of a component. The 100 pixels that are nearest in
    :math:`f` and place, of which 4 pixels count as much as one unit, are fitted by a linear
    function of :math:`f` (local linear regression), whose value at a pixel is what is expected
    there.

    Parameters
    ----------
    intensities
        Measured spectra, ``(rows, columns, energy)``.
    smooth
        The same, smoothed over pixels: by them pixels are found alike.
    hidden
        Channels that are expected from the others, boolean ``(energy,)``.
    usual
        Pixels that say how alike neighbours are, boolean ``(rows, columns)``; at least two.

    References
    ----------
    W. S. Cleveland, J. Am. Stat. Assoc. 74 (1979) 829, on local linear regression.
    """

    def __init__(
        self,
        intensities: NDArray[np.float32],
        smooth: NDArray[np.float32],
        hidden: NDArray[np.bool_],
        usual: NDArray[np.bool_],
    ) -> None:
        self.intensities = intensities
        self.hidden = hidden
        self._places = _places(smooth[..., ~hidden])
        pool = self._places[usual]
        number = min(_NEIGHBOURS, len(pool) - 1)
        sample = pool[:: -(-len(pool) // _ENOUGH_PIXELS)]
        nearest = _nearest(pool, sample, number + 1)[:, 1:]
        unlikeness = _unlikeness(pool[nearest] - sample[:, np.newaxis])
        self._usual = max(float(np.quantile(unlikeness, 0.95)), float(np.finfo(np.float32).tiny))

    def expected(
        self, region: NDArray[np.bool_], donors: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the hidden channels over the sum of the others, ``(pixels, hidden)``.

        And how far that is to be trusted, 0 to 1, ``(pixels, 1)``: wholly where the mean of the
        neighbours is as near in :math:`f` as it is for 95 % of the usual pixels, and not from twice
        that squared distance on.

        Parameters
        ----------
        region
            The pixels, boolean ``(rows, columns)``.
        donors
            Pixels that may be neighbours, of the same shape; at least two.
        """
        pool, wanted = self._places[donors], self._places[region]
        number = min(_NEIGHBOURS, len(pool) - 1)
        nearest = _nearest(pool, wanted, number)
        used, neighbours = np.unique(nearest, return_inverse=True)
        spectra = self.intensities[np.unravel_index(np.flatnonzero(donors)[used], donors.shape)]
        hidden = self.hidden
        shares = spectra[:, hidden] / spectra[:, ~hidden].sum(1, keepdims=True)
        weights, unlikeness = np.empty(nearest.shape, np.float32), np.empty(len(wanted))
        for begin in range(0, len(wanted), _PIXELS_AT_ONCE):
            some = slice(begin, begin + _PIXELS_AT_ONCE)
            offsets = pool[nearest[some]] - wanted[some, np.newaxis]
            weights[some], unlikeness[some] = _weights(offsets), _unlikeness(offsets)
        trusted = np.clip(2 - unlikeness / self._usual, 0, 1)[:, np.newaxis].astype(np.float32)
        rows = np.arange(0, weights.size + 1, number)
        combine = csr_array((weights.ravel(), neighbours.ravel(), rows), (len(wanted), len(used)))
        return np.maximum(combine @ shares, 0), trusted


def _places(spectra: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return pixels by their spectra and where they are, ``(rows, columns, components + 2)``."""
    shape = spectra.shape[:2]
    total = spectra.sum(-1, keepdims=True)
    flat = spectra / np.maximum(total, DARKEST * np.abs(total).mean())
    flat = flat.reshape(-1, spectra.shape[2])
    mean = flat.mean(0)
    flat /= np.sqrt(np.maximum(mean, 1e-3 * np.abs(mean).mean()))
    chosen = flat[:: -(-len(flat) // _ENOUGH_SPECTRA)]
    components = min(_COMPONENTS, len(chosen), chosen.shape[1] - 1)
    pca = PCA(components, svd_solver="randomized", random_state=0).fit(chosen)
    unit = max(np.sqrt(pca.explained_variance_[-1]), np.finfo(np.float32).tiny)
    place = np.moveaxis(np.indices(shape), 0, -1) / _FAR
    return np.concatenate([pca.transform(flat).reshape(*shape, -1) / unit, place], -1)


def _nearest(
    pool: NDArray[np.float64], wanted: NDArray[np.float64], number: int
) -> NDArray[np.int64]:
    search = NearestNeighbors(n_neighbors=number, algorithm="brute").fit(pool)
    nearest: NDArray[np.int64] = search.kneighbors(wanted, return_distance=False)
    return nearest


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
