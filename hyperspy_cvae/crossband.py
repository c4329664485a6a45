"""What the rest of a spectrum lets expect in a band of energies, told by the other pixels."""

import numpy as np
from dask.system import CPU_COUNT
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import KDTree
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.preprocessing import PolynomialFeatures

from hyperspy_cvae.blocks import Cube, blockwise, spectra_at, to_map, totals
from hyperspy_cvae.quadratic import Brightness, numbers_for, root_of
from hyperspy_cvae.robust import robust_deviation
from hyperspy_cvae.sampling import some, some_of

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
_AT_ONCE = 64 * 2**20  # bytes of neighbours
_TILE = 32  # pixels
_REGRESSORS = 10  # principal components, at most
_SPECTRA_PER_TERM = 10  # independent ones
_ENOUGH_FOR_REGRESSION = 3000  # spectra
_SHRINKAGE = 1e-4
_FITTING = 0.9  # of the spectra
_FARTHEST = 6.0  # robust standard deviations of a component


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
    known
        Spectra without the hidden channels, smoothed over pixels and in channels of any width,
        ``(rows, columns, n)``: by them pixels are found alike.
    hidden
        Channels that are expected from the others, boolean ``(energy,)``.
    donors
        Pixels that may be neighbours, and say how alike neighbours are, boolean ``(rows,
        columns)``; at least two.

    References
    ----------
    W. S. Cleveland, J. Am. Stat. Assoc. 74 (1979) 829, on local linear regression.
    """

    def __init__(
        self,
        intensities: Cube,
        known: Cube,
        hidden: NDArray[np.bool_],
        donors: NDArray[np.bool_],
    ) -> None:
        self.intensities = intensities
        self.hidden = hidden
        self._donors = donors
        self._places = _places(known)
        self._tree = KDTree(self._places[donors])
        number = min(_NEIGHBOURS, self._tree.n - 1)
        sample = self._tree.data[some(self._tree.n, _ENOUGH_PIXELS)]
        _, nearest = self._tree.query(sample, np.arange(2, number + 2), workers=CPU_COUNT)
        unlikeness = _unlikeness(self._tree.data[nearest] - sample[:, np.newaxis])
        self._usual = max(float(np.quantile(unlikeness, 0.95)), float(np.finfo(np.float32).tiny))

    def expected(
        self, region: NDArray[np.bool_], away: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the hidden channels over the sum of the others, ``(pixels, hidden)``.

        And how far that is to be trusted, 0 to 1, ``(pixels, 1)``: wholly where the mean of the
        neighbours is as near in :math:`f` as it is for 95 % of the usual pixels, and not from twice
        that squared distance on.

        Parameters
        ----------
        region
            The pixels, boolean ``(rows, columns)``.
        away
            Pixels that are to be no neighbours, of the same shape; none if not given. At least two
            donors are to be left.
        """
        wanted = self._places[region]
        nearest = self._nearest(wanted, away)
        weights, unlikeness = np.empty(nearest.shape, np.float32), np.empty(len(wanted))
        for begin in range(0, len(wanted), _PIXELS_AT_ONCE):
            some = slice(begin, begin + _PIXELS_AT_ONCE)
            offsets = self._tree.data[nearest[some]] - wanted[some, np.newaxis]
            weights[some], unlikeness[some] = _weights(offsets), _unlikeness(offsets)
        trusted = np.clip(2 - unlikeness / self._usual, 0, 1)[:, np.newaxis].astype(np.float32)
        return np.maximum(self._combined(nearest, weights), 0), trusted

    def _combined(
        self, nearest: NDArray[np.int64], weights: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the weighted sums of the shares of neighbours, ``(pixels, hidden)``."""
        used, neighbours = np.unique(nearest, return_inverse=True)
        ends = np.arange(0, weights.size + 1, weights.shape[1])
        combine = csr_array(
            (weights.ravel(), neighbours.ravel(), ends), (len(weights), len(used))
        ).tocsc()
        pixels = np.flatnonzero(self._donors)[used]
        rows, columns = np.unravel_index(pixels, self._donors.shape)
        # Thousands of pixels have more neighbours than fit into memory. Near ones are in one block.
        order = np.lexsort((columns // _TILE, rows // _TILE))
        at_once = max(1, _AT_ONCE // (4 * self.hidden.size))
        found = np.zeros((len(weights), np.count_nonzero(self.hidden)), np.float32)
        for begin in range(0, len(used), at_once):
            some = order[begin : begin + at_once]
            spectra = spectra_at(self.intensities, (rows[some], columns[some]))
            total = spectra[:, ~self.hidden].sum(1, keepdims=True)
            found += combine[:, some] @ (spectra[:, self.hidden] / total)
        return found

    def _nearest(
        self, wanted: NDArray[np.float64], away: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """Return the nearest donors of each of the places, ``(places, number)``."""
        left_out = np.zeros(self._tree.n, bool) if away is None else away[self._donors]
        extra = np.count_nonzero(left_out)
        number = min(_NEIGHBOURS, self._tree.n - extra - 1)
        found = np.empty((len(wanted), number), np.int64)
        at_once = max(1, _AT_ONCE // (16 * (number + extra)))
        for begin in range(0, len(wanted), at_once):
            some = slice(begin, begin + at_once)
            _, nearest = self._tree.query(
                wanted[some], np.arange(1, number + extra + 1), workers=CPU_COUNT
            )
            # Those that are left out behind the others, which stay in their order.
            order = np.argsort(left_out[nearest], axis=1, kind="stable")[:, :number]
            found[some] = np.take_along_axis(nearest, order, axis=1)
        return found


class Regression:
    """What the rest of a spectrum lets expect in its hidden channels, by the whole scan.

    They are a quadratic function of the principal components of the others and of their brightness,
    the logarithm of their sum, which tells of the thickness; the same function for the whole scan,
    fitted to the usual spectra (ridge regression), then again without the tenth of them that fits
    worst. A spectrum that is more than 6 robust standard deviations from the median in any of these
    numbers is left out from the start, a tenth of them at most: a few of a kind of their own, as
    where a dopant takes the place of an element, would explain each other.

    Unlike neighbours (:class:`CrossBand`) it goes on beyond what is usual in a component, if not
    far: bulk that is strained a third more than all the rest is told, and what is expected of bulk
    strained several times as much may be worse than the mean. Brightness is kept within what 96 %
    of the spectra have. There are ten components, or as many as leave ten independent spectra to
    each term of the function. With a radius of 1.5 pixels that is fewer in scans of less than 150 x
    150 pixels; below 42 x 42 the mean is expected.

    Parameters
    ----------
    spectra
        Intensities ``(rows, columns, energy)``, smoothed over pixels by a Gaussian.
    radius
        Its standard deviation in pixels.
    hidden
        Channels that are expected from the others, boolean ``(energy,)``; some, not all.
    usual
        Spectra to which the function is fitted, boolean ``(rows, columns)``; those with less than 5
        % of the mean sum do not count. Without any, zeros are expected.

    Attributes
    ----------
    varies
        Whether more than a mean is expected.

    Examples
    --------
    One line moves with the other, but for a few pixels:

    >>> from scipy.ndimage import gaussian_filter
    >>> energies, strain = np.arange(40.0), np.linspace(-1, 1, 6400).reshape(80, 80, 1)
    >>> spectra = 1 + np.exp(-((energies - 10 - strain) ** 2) / 8)
    >>> spectra += np.exp(-((energies - 30 - strain) ** 2) / 8)
    >>> spectra[40:44, 5:9, 20:] = spectra[20:24, 5:9, 20:]
    >>> spectra, hidden = gaussian_filter(spectra, (1.5, 1.5, 0)), energies >= 20
    >>> regression = Regression(spectra, 1.5, hidden, np.ones((80, 80), bool))
    >>> measured = spectra[..., hidden] / spectra[..., ~hidden].sum(-1, keepdims=True)
    >>> misfit = abs(measured - regression.expected(spectra)).max(-1)
    >>> bool(misfit[41:43, 6:8].min() > 20 * np.quantile(misfit, 0.98))
    True
    """

    def __init__(
        self,
        spectra: Cube,
        radius: float,
        hidden: NDArray[np.bool_],
        usual: NDArray[np.bool_],
    ) -> None:
        self.hidden = hidden
        total = to_map(lambda block: block[..., ~hidden].sum(-1), spectra)
        self._floor = DARKEST * np.abs(total).mean() + np.finfo(np.float32).tiny
        self.varies = False
        self._mean = np.zeros(np.count_nonzero(hidden), np.float32)
        chosen = np.flatnonzero(usual & (total > self._floor))
        if not chosen.size:
            return
        most_terms = len(chosen) / max(1.0, 4 * np.pi * radius**2) / _SPECTRA_PER_TERM
        components = numbers_for(most_terms) - 1  # and the brightness
        # The known ones sum to one.
        components = min(components, _REGRESSORS, int(np.count_nonzero(~hidden)) - 1)
        chosen = chosen[some(len(chosen), _ENOUGH_FOR_REGRESSION)]
        sample = spectra_at(spectra, np.unravel_index(chosen, usual.shape))
        known, shares, sums = self._shares(sample)
        self._mean = shares.mean(0, dtype=np.float64).astype(np.float32)
        if components < 1:
            return
        mean = known.mean(0)
        self._unit = root_of(mean)
        self._pca = PCA(components, whiten=True, svd_solver="covariance_eigh")
        with np.errstate(invalid="ignore"):  # where nothing varies, nothing is told by it
            self._pca.fit((known / self._unit).astype(np.float64))
        found = self._pca.transform(known / self._unit)
        within = _within_bulk(np.concatenate([found, np.log(sums)], 1))
        known, shares, sums = known[within], shares[within], sums[within]
        self._brightness = Brightness(sums)
        self._quadratic = PolynomialFeatures(2, include_bias=False)
        terms = self._quadratic.fit_transform(self._numbers(known, sums))
        self._ridge = Ridge(_SHRINKAGE * len(terms)).fit(terms, shares)
        misfit = np.square(shares - self._ridge.predict(terms)).sum(1) * sums[:, 0]
        fitting = misfit <= np.quantile(misfit, _FITTING)
        self._ridge.fit(terms[fitting], shares[fitting])
        self.varies = True

    def expected(self, spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the hidden channels over the sum of the others, ``(..., hidden)``.

        Parameters
        ----------
        spectra
            Smoothed as those it was fitted to, ``(..., energy)``.
        """
        if not self.varies:
            return np.broadcast_to(self._mean, (*spectra.shape[:-1], self._mean.size))
        known, _, sums = self._shares(spectra.reshape(-1, spectra.shape[-1]))
        terms = self._quadratic.transform(self._numbers(known, sums))
        found = np.maximum(self._ridge.predict(terms), 0).astype(np.float32)
        return found.reshape(*spectra.shape[:-1], -1)

    def _numbers(
        self, known: NDArray[np.float32], sums: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return components and brightness, ``(spectra, numbers)``."""
        return np.concatenate(
            [self._pca.transform(known / self._unit), self._brightness(sums)], axis=1
        )

    def _shares(
        self, spectra: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return known and hidden channels over the sum of the known, and that sum."""
        known, hidden = spectra[:, ~self.hidden], spectra[:, self.hidden]
        total = np.maximum(known.sum(-1, keepdims=True), np.float32(self._floor))
        return known / total, hidden / total, total


def _within_bulk(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which spectra lie among most others in all numbers, ``(spectra,)``."""
    apart = np.abs(numbers - np.median(numbers, axis=0))
    deviation = robust_deviation(numbers, np.abs(numbers).max(0))
    farthest = (apart / np.where(deviation > 0, deviation, np.inf)).max(1)
    within: NDArray[np.bool_] = farthest <= max(_FARTHEST, np.quantile(farthest, _FITTING))
    return within


def _places(spectra: Cube) -> NDArray[np.float64]:
    """Return pixels by their spectra and where they are, ``(rows, columns, components + 2)``."""
    total = to_map(lambda block: block.sum(-1), spectra)
    floor = np.float32(max(DARKEST * np.abs(total).mean(), np.finfo(np.float32).tiny))

    def shares(spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        return spectra / np.maximum(spectra.sum(-1, keepdims=True), floor)

    mean = totals(lambda block: shares(block).sum((0, 1)), spectra) / total.size
    root = root_of(mean)
    chosen = shares(spectra_at(spectra, some_of(np.ones(total.shape, bool), _ENOUGH_SPECTRA)))
    components = min(_COMPONENTS, len(chosen), chosen.shape[1] - 1)
    pca = PCA(components, svd_solver="randomized", random_state=0).fit(chosen / root)
    unit = max(np.sqrt(pca.explained_variance_[-1]), np.finfo(np.float32).tiny)

    def transformed(block: NDArray[np.float32]) -> NDArray[np.float32]:
        flat = (shares(block) / root).reshape(-1, block.shape[2])
        return pca.transform(flat).reshape(*block.shape[:2], -1) / unit

    places = blockwise(transformed, spectra, channels=components).compute()
    place = np.moveaxis(np.indices(total.shape), 0, -1) / _FAR
    return np.concatenate([places, place], -1)


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
