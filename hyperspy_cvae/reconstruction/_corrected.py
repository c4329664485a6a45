"""What a reconstruction misses systematically, added to it."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from sklearn.decomposition import PCA
from sklearn.preprocessing import PolynomialFeatures

from hyperspy_cvae.blocks import (
    AnyCube,
    Cube,
    blockwise,
    in_memory,
    in_tiles,
    kept,
    spectra_at,
    sums,
    totals,
)
from hyperspy_cvae.crossband import DARKEST
from hyperspy_cvae.deviations import Deviations
from hyperspy_cvae.quadratic import Brightness, numbers_for, root_of
from hyperspy_cvae.sampling import some_of
from hyperspy_cvae.shards import binned_blocks, fine_width

_COMPONENTS, _DIRECTIONS = 14, 16
_TILE, _FOLDS = 12, 4  # pixels; kinds of tiles, of which none lies beside its own
_PLACE = 4  # pixels: of a tile, over which noise is averaged before anything is told
_RADII = 1.5, 2.5  # pixels: for what is small and strong, and for what is large and faint
_FARTHEST_AT_FIRST, _FARTHEST = 8.0, 3.0  # robust standard deviations
_WITHIN = (0.02, 0.98)  # quantiles of a component
_ENOUGH_SPECTRA = 8000  # to know the components
_PLACES_PER_TERM = 6
_SHRINKAGE = 1e-3
_ROUNDING = 1e-11  # variance
_TINY = float(np.finfo(np.float32).tiny)


def corrected(intensities: Cube, first: AnyCube) -> AnyCube:
    r"""Return a reconstruction to which is added what it misses systematically.

    What a network makes of the bulk is wrong by a little, and where bulk is alike by about the
    same: with the kind of bulk, and with its thickness, for the sums of the spectra, which tell of
    it, are not shown to a network. So what is missed in a
    spectrum is expected as a quadratic function of its own reconstruction and its brightness,

    .. math::

       \frac{x_{ie} - r_{ie}}{n_i \sqrt{m_e}} \approx \sum_k t_{ik} \, b_{ke},

    with the sum :math:`n_i` of the reconstruction :math:`r_i` and the mean :math:`m` of
    :math:`r_i / n_i`. The terms :math:`t_{ik}` are those of up to second order of
    :math:`\log n_i` and of the fourteen first principal components of :math:`r_i / n_i` over the
    root of its mean, in channels as wide as fine structure; each of these numbers is kept within
    what 96 % of the spectra have. Terms and residuals are averaged over places of 4 x 4 pixels,
    weighted by :math:`n_i`, and :math:`b` is told from these by ridge regression with their sums as
    weights. Only spectra count that deviate by less than 3 robust standard deviations over 1.5 and
    2.5 pixels (:class:`hyperspy_cvae.deviations.Deviations`) and have no neighbour that does not:
    from what is corrected so, at first with 8 from the reconstruction itself.

    A spectrum is not to be told by itself, for then its noise would be copied and an anomaly
    followed. So there are four functions: what is missed in a tile of 12 x 12 pixels is told by
    three quarters of all tiles, of which it is none. Of each function count the sixteen directions
    :math:`v` in energy that matter most to these three quarters, and of the first, the second, ...
    as much as is found again in the last one: with what is expected of its places, :math:`p`, and
    their residuals, :math:`q`, the share :math:`\sum (v \cdot p) (v \cdot q) / \sum (v \cdot p)^2`
    between 0 and 1, weighted by their sums, over the four functions together. Every spectrum keeps
    its sum.

    There are as many components as leave six places to each term. In a scan of less than some 28 x
    28 pixels there is none, and the reconstruction is returned as it is. So are spectra with less
    than 5 % of the mean sum.

    Parameters
    ----------
    intensities
        What was measured, ``(rows, columns, energy)``.
    first
        Its reconstruction, of the same shape; left as it is.

    References
    ----------
    M. Stone, J. R. Stat. Soc. B 36 (1974) 111, on telling by the rest how much is to be believed;
    A. E. Hoerl and R. W. Kennard, Technometrics 12 (1970) 55, on ridge regression.
    """
    channels = first.shape[2]
    total = sums(first, np.ones(channels, bool))
    # What has hardly any counts tells nothing, and is not corrected.
    bright = total > max(DARKEST * float(total.mean()), _TINY)
    if not bright.any():
        return first
    width = fine_width(channels)
    coarse, coarse_first = (kept(binned_blocks(each, width)) for each in (intensities, first))
    deviations = [Deviations(coarse, bright, radius) for radius in _RADII]

    def usual(expected: Cube, farthest: float) -> NDArray[np.bool_]:
        far = np.max([each.far_from(expected).max(-1) for each in deviations], axis=0) >= farthest
        return bright & ~binary_dilation(far)

    add = partial(_with_missed, coarse_first=coarse_first, total=total, bright=bright)
    use = usual(coarse_first, _FARTHEST_AT_FIRST)
    use = usual(add(coarse, coarse_first, use=use), _FARTHEST)
    return add(intensities, first, use=use)


def _with_missed(
    measured: Cube,
    first: AnyCube,
    *,
    coarse_first: Cube,
    total: NDArray[np.float32],
    bright: NDArray[np.bool_],
    use: NDArray[np.bool_],
) -> AnyCube:
    """Return a reconstruction with what it misses, told by some of its spectra."""
    places = np.count_nonzero(use) / _PLACE**2 * (1 - 1 / _FOLDS)
    components = numbers_for(places / _PLACES_PER_TERM) - 1  # and the brightness
    components = min(components, _COMPONENTS, coarse_first.shape[2] - 1)
    if components < 1:
        return first
    terms = _Terms(coarse_first, total, use, components)
    tile = np.indices(bright.shape) // _TILE % 2
    kind = np.asarray(2 * tile[0] + tile[1])
    total = np.where(bright, total, np.float32(1))
    tiles = in_tiles(first, _TILE)

    def shares(
        first: NDArray[np.float32], total: NDArray[np.float32], use: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        return (first / total)[use[..., 0]].sum(0)

    root = root_of(totals(shares, tiles, total, use) / np.count_nonzero(use))
    unit = float(total[use].mean())

    def products(
        first: NDArray[np.float32],
        measured: NDArray[np.float32],
        coarse: NDArray[np.float32],
        total: NDArray[np.float32],
        kind: NDArray[np.intp],
        use: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Return those of the terms with each other and with the residual, by kind of tile."""
        weight = use * total / unit
        counts = _by_place(weight)
        told = _by_place(terms(coarse, total) * weight)
        missed = _by_place(use * (measured - first) / (root * unit))
        found = np.zeros((_FOLDS, terms.number, terms.number + first.shape[2]))
        for each in range(_FOLDS):
            inside = (kind[::_PLACE, ::_PLACE, 0] == each) & (counts[..., 0] > 0)
            both = np.concatenate([told[inside], missed[inside]], 1)
            found[each] = (told[inside] / counts[inside]).T @ both
        return found

    found = totals(products, tiles, measured, coarse_first, total, kind, use)
    functions = _functions(found[..., : terms.number], found[..., terms.number :])
    functions = (functions * root).astype(np.float32)

    def with_missed(
        first: NDArray[np.float32],
        coarse: NDArray[np.float32],
        total: NDArray[np.float32],
        kind: NDArray[np.intp],
        bright: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        told, spectra = terms(coarse, total), first.copy()
        for each, function in enumerate(functions):
            inside = ((kind == each) & bright)[..., 0]
            better = np.maximum(first[inside] + total[inside] * (told[inside] @ function), 0)
            share = first[inside].sum(-1, keepdims=True)
            share /= np.maximum(better.sum(-1, keepdims=True), _TINY)
            spectra[inside] = better * share
        return spectra

    result = blockwise(
        with_missed, tiles, coarse_first, total, kind, bright, channels=first.shape[2]
    )
    return in_memory(result) if isinstance(first, np.ndarray) else result


class _Terms:
    """The terms of spectra, of up to second order in their components and their brightness.

    Parameters
    ----------
    spectra
        Reconstruction ``(rows, columns, energy)``.
    total
        Its sums ``(rows, columns)``.
    use
        Spectra that tell what the components are, boolean ``(rows, columns)``; not none.
    components
        How many.

    Attributes
    ----------
    number
        How many terms there are.
    """

    def __init__(
        self,
        spectra: Cube,
        total: NDArray[np.float32],
        use: NDArray[np.bool_],
        components: int,
    ) -> None:
        chosen = some_of(use, _ENOUGH_SPECTRA)
        counts, sample = total[chosen][:, np.newaxis], spectra_at(spectra, chosen)
        self._root = root_of((sample / counts).mean(0))
        pca = PCA(components, svd_solver="covariance_eigh")
        with np.errstate(invalid="ignore"):  # where nothing varies
            pca.fit((sample / counts / self._root).astype(np.float64))
        self._mean = pca.mean_.astype(np.float32)
        varying = pca.explained_variance_ > _ROUNDING  # of spectra of norm 1
        spread = np.sqrt(pca.explained_variance_[varying])
        self._axes = (pca.components_[varying].T / spread).astype(np.float32)
        self._brightness = Brightness(counts)
        found = self._numbers(sample, counts)
        self._limits = np.quantile(found, _WITHIN, axis=0).astype(np.float32)
        self._quadratic = PolynomialFeatures(2).fit(self._limits)
        self.number = self._quadratic.n_output_features_

    def __call__(
        self, spectra: NDArray[np.float32], total: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the terms of a block with its sums ``(rows, columns, 1)``, in its shape."""
        numbers = np.clip(self._numbers(spectra, total), *self._limits)
        terms = self._quadratic.transform(numbers.reshape(-1, numbers.shape[-1]))
        return np.asarray(terms).reshape(*spectra.shape[:-1], -1)

    def _numbers(
        self, spectra: NDArray[np.float32], total: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        components = (spectra / (total * self._root) - self._mean) @ self._axes
        return np.concatenate([components, np.float32(self._brightness(total))], -1)


def _by_place(cube: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return sums over places of some pixels, fewer at the end, ``(rows, columns, n)``."""
    for axis in range(2):
        cube = np.add.reduceat(cube, np.arange(0, cube.shape[axis], _PLACE), axis=axis)
    return cube


def _functions(
    products: NDArray[np.float64], with_residual: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the function of the terms for each kind of tile, ``(folds, terms, energy)``.

    Parameters
    ----------
    products
        Of the terms with each other, summed over the tiles of a kind, ``(folds, terms, terms)``.
    with_residual
        Of the terms with the residual, ``(folds, terms, energy)``.
    """
    others = products.sum(0) - products
    others += _SHRINKAGE * products[:, 0, 0].sum() * np.eye(products.shape[1])
    functions = np.linalg.solve(others, with_residual.sum(0) - with_residual)
    # What is expected of the others has these products over energy, and these main directions.
    expected = np.swapaxes(np.linalg.cholesky(others), 1, 2) @ functions
    directions = np.linalg.svd(expected, full_matrices=False)[2][:, :_DIRECTIONS]
    along = functions @ np.swapaxes(directions, 1, 2)
    found = np.einsum("ktd,kte,kde->d", along, with_residual, directions, optimize=True)
    told = np.einsum("ktd,kts,ksd->d", along, products, along, optimize=True)
    shares = np.clip(found / np.maximum(told, _TINY), 0, 1)
    return (along * shares) @ directions
