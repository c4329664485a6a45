"""Pixels that are no measurement, or differ in brightness alone, found in the counts."""

import warnings
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.optimize import nnls

from hyperspy_cvae.blocks import Cube, blockwise, spectra_at
from hyperspy_cvae.robust import quantile_deviation

_PARTS, _NARROWEST, _FEWEST_PARTS = 16, 8, 4  # of the energy axis; channels; parts
_QUARTILE = 0.25  # of the parts: an anomaly may have lines in the others
_NOISIER, _NOISIER_DEVIATIONS = 1.5, 5.0  # of a logarithm, whose upper tail is short
_DEVIATIONS = 6.5
_RARE = 0.05
_MOST_NOISY = 0.1  # of the pixels: more are another kind of specimen
_FEWEST = 20  # pixels to know what is usual
_FEW_COUNTS = 50.0
_DEAD, _LARGEST_DEAD = 1e-3, 3  # of the median sum; pixels
_IN_A_ROW = 3  # channels that hold the highest number there is
_BRIGHTER, _ROW_BRIGHTER = 1.5, 1.25
_FEWEST_ROWS = 5
_BANDS, _ALIKE, _DIFFERENT = 24, 0.03, 4.0
_AT_ONCE = 2**17  # counts, which a processor holds near it
_TINY = 1e-9


class Measures(NamedTuple):
    """What is measured of each spectrum, ``(rows, columns)`` each."""

    total: NDArray[np.float64]
    """Its sum, not negative."""
    dispersion: NDArray[np.float64]
    """The variance between neighbouring channels over the counts; NaN where these are few."""
    clipped: NDArray[np.bool_]
    """Whether three channels in a row hold the highest number of the scan."""


def measures(cube: Cube) -> Measures:
    """Return what tells artefacts of each spectrum of a scan, in one pass over it."""
    channels = cube.shape[2]
    parts = min(_PARTS, (channels - 2) // _NARROWEST)
    width = (channels - 2) // max(parts, 1)

    def of_block(block: NDArray[np.float32]) -> NDArray[np.float64]:
        flat = block.reshape(-1, channels)
        found = np.full((len(flat), 4), np.nan)
        at_once = max(1, _AT_ONCE // channels)
        for begin in range(0, len(flat), at_once):
            some = flat[begin : begin + at_once]
            here = found[begin : begin + at_once]
            here[:, 0] = np.maximum(some.sum(1, dtype=np.float64), 0)
            here[:, 2] = some.max(1)
            highest = some == some.max(1, keepdims=True)
            in_a_row = highest[:, :-2].copy()
            for each in range(1, _IN_A_ROW):
                in_a_row &= highest[:, each : channels - _IN_A_ROW + 1 + each]
            here[:, 3] = in_a_row.any(1)
            if parts >= _FEWEST_PARTS:
                here[:, 1] = _dispersion(some, parts, width)
        return found.reshape(*block.shape[:2], 4)

    found = blockwise(of_block, cube, channels=4, dtype=np.float64).compute()
    total, dispersion, highest, in_a_row = np.moveaxis(found, 2, 0)
    clipped = (in_a_row > 0) & (highest == highest.max()) & (highest > _FEW_COUNTS)
    return Measures(total, dispersion, clipped)


def _dispersion(spectra: NDArray[np.float32], parts: int, width: int) -> NDArray[np.float64]:
    """Return the lower quartile over parts of the energy axis of the variance over the counts.

    The variance is of second differences of neighbouring channels, six times that of a channel.
    """
    second = 2 * spectra[:, 1:-1] - spectra[:, :-2] - spectra[:, 2:]
    inside = slice(parts * width)
    squares = np.square(second[:, inside], out=second[:, inside])
    variance = squares.reshape(-1, parts, width).sum(2) / 6
    counts = np.maximum(spectra[:, 1:-1][:, inside].reshape(-1, parts, width).sum(2), 0)
    ratio = variance / np.maximum(counts, _TINY)
    result: NDArray[np.float64] = np.quantile(ratio, _QUARTILE, axis=1)
    return np.where(np.quantile(counts, _QUARTILE, axis=1) > 0, result, np.nan)


def dead_pixels(total: NDArray[np.float64], judged: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return pixels without counts in a scan that has some: up to three, or a piece of a row.

    More of them are vacuum.

    Examples
    --------
    >>> total = np.full((6, 6), 1000.0)
    >>> total[2, 3] = 0
    >>> np.argwhere(dead_pixels(total, np.ones((6, 6), bool)))
    array([[2, 3]])
    """
    usual = float(np.median(total[judged])) if judged.any() else 0.0
    empty = judged & (total <= _DEAD * usual)
    if usual <= _FEW_COUNTS or not empty.any():
        return np.zeros(total.shape, bool)
    labels, _ = label(empty, np.ones((3, 3)))
    rows = np.indices(total.shape)[0]
    dead = np.zeros(total.shape, bool)
    for number in range(1, labels.max() + 1):
        group = labels == number
        one_row = total.shape[0] > 1 and np.ptp(rows[group]) == 0
        dead |= group & (one_row or group.sum() <= _LARGEST_DEAD)
    return dead


def noisy_pixels(cube: Cube, found: Measures, judged: NDArray[np.bool_]) -> NDArray[np.bool_]:
    r"""Return pixels whose noise is not that of counts, and whose spectrum is as those around.

    The variance between neighbouring channels over the counts is the gain, whatever the spectrum:
    with read noise it is higher in dim pixels, with steep structure in bright ones. So

    .. math:: D(t) = g + R / t + S t

    is fitted over the sums :math:`t` of the spectra. A pixel is noisy if its :math:`D` is more than
    1.5 times that, and 5 deviations above, as after a jump of the gain. So are all pixels of a
    row, if its median is that far above those of the other rows. More than a tenth of the pixels,
    or of the rows, are another kind of specimen; and a single pixel that differs from those around
    it by more than its noise may be an anomaly.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(50.0, (9, 9, 400)).astype(np.float32)
    >>> counts[2, 3] *= 3
    >>> everywhere = np.ones((9, 9), bool)
    >>> np.argwhere(noisy_pixels(counts, measures(counts), everywhere))
    array([[2, 3]])
    """
    total, dispersion = found.total, found.dispersion
    known = judged & np.isfinite(dispersion) & (total > _FEW_COUNTS)
    if known.sum() < _FEWEST:
        return np.zeros(total.shape, bool)
    relative = total[known] / total[known].mean()
    # Beyond what most pixels tell the fit is not extrapolated.
    relative = np.clip(relative, *np.quantile(relative, [_RARE, 1 - _RARE]))
    terms = np.stack([np.ones_like(relative), 1 / relative, relative], axis=1)
    own = dispersion[known]
    usual = own <= 2 * np.median(own)
    for _ in range(2):
        fitted = np.maximum(terms @ nnls(terms[usual], own[usual])[0], _TINY)
        usual = own <= _NOISIER * fitted
    by_pixel = np.full(total.shape, np.nan)
    by_pixel[known] = np.log(np.maximum(own / fitted, _TINY))
    noisy = np.zeros(total.shape, bool)
    rows = np.flatnonzero(known.sum(1) >= _FEWEST_ROWS)
    if len(rows) >= _FEWEST_ROWS:
        noisy[rows[_far_above(np.nanmedian(by_pixel[rows], axis=1))]] = True
    rest = known & ~noisy
    far = rest.copy()
    far[rest] = _far_above(by_pixel[rest])
    for row, column in np.argwhere(far).tolist():
        noisy[row, column] = _pixel_alike(cube, row, column, known, dispersion[row, column])
    return noisy & judged


def _far_above(logarithm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which are far above the others, if these are few."""
    if not logarithm.size:
        return np.zeros(0, bool)
    limit = max(np.log(_NOISIER), _NOISIER_DEVIATIONS * float(quantile_deviation(logarithm)))
    far: NDArray[np.bool_] = logarithm > limit
    return far & (far.sum() <= max(1, _MOST_NOISY * far.size))


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else np.nan


def brightness_jumps(
    cube: Cube, found: Measures, judged: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return how many times as bright pixels and rows are that differ in brightness alone.

    A pixel is compared with the median of the eight around it, a row with the two beside it. It
    jumps if it is 1.5 times (a row: 1.25 times) as bright or as dim, 6.5 deviations from how pixels
    (rows) of this scan differ, and its spectrum differs by no more than 3 % or 4 standard errors in
    any of 24 bands.

    Returns
    -------
    pixels, rows : numpy.ndarray
        ``(rows, columns)``; NaN where nothing jumps.
    """
    shape = judged.shape
    pixels, rows = np.full(shape, np.nan), np.full(shape, np.nan)
    bright = judged & (found.total > _FEW_COUNTS)
    if min(shape) < _FEWEST_ROWS or not bright.any():
        return pixels, rows
    gain = _median(found.dispersion[bright])
    gain = gain if np.isfinite(gain) else 1.0
    logarithm = np.where(bright, np.log(np.maximum(found.total, _TINY)), np.nan)
    # Of a step in brightness the row before it differs from the one after it only.
    steps = _row_steps(logarithm)
    smaller = np.minimum(np.abs(steps[:-1]), np.abs(steps[1:]))
    jumps = np.pad(np.where(steps[:-1] * steps[1:] < 0, np.sign(steps[:-1]) * smaller, 0), 1)
    for row in _far(jumps, np.log(_ROW_BRIGHTER)):
        if _row_alike(cube, int(row), bright, gain):
            rows[row, bright[row]] = np.exp(jumps[row])
    # What lies beside a row that jumps is compared with the others around it.
    without = np.where(np.isnan(rows), logarithm, np.nan)
    padded = np.pad(without, 1, constant_values=np.nan)
    around = [
        padded[down : down + shape[0], right : right + shape[1]]
        for down, right in product(range(3), range(3))
        if (down, right) != (1, 1)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where there is none around
        usual = np.nanmedian(around, axis=0)
    excess = np.nan_to_num(without - usual)
    for place in _far(excess.ravel(), np.log(_BRIGHTER)):
        row, column = divmod(int(place), shape[1])
        if _pixel_alike(cube, row, column, bright, gain):
            pixels[row, column] = np.exp(excess[row, column])
    return pixels, rows


def _row_steps(logarithm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much brighter each row is than the one before it, by the median of its pixels."""
    differences = np.diff(logarithm, axis=0)
    enough = np.isfinite(differences).sum(1) >= max(2, logarithm.shape[1] // 2)
    return np.array(
        [_median(each) if many else 0.0 for each, many in zip(differences, enough, strict=True)]
    )


def _far(jumps: NDArray[np.float64], least: float) -> NDArray[np.intp]:
    """Return which jumps are far larger than elsewhere."""
    limit = max(least, _DEVIATIONS * float(quantile_deviation(jumps)))
    return np.flatnonzero(np.abs(jumps) > limit)


def _row_alike(cube: Cube, row: int, known: NDArray[np.bool_], gain: float) -> bool:
    """Return whether the spectrum of a row is that of the rows beside it, times a factor."""
    beside = [each for each in (row - 1, row + 1) if 0 <= each < known.shape[0]]
    columns = np.flatnonzero(known[[row, *beside]].all(0))
    if not len(columns):
        return False
    own, *others = (
        spectra_at(cube, (np.full_like(columns, each), columns)).sum(0, dtype=np.float64)
        for each in (row, *beside)
    )
    return _alike(own, np.sum(others, axis=0), gain)


def _pixel_alike(cube: Cube, row: int, column: int, known: NDArray[np.bool_], gain: float) -> bool:
    """Return whether the spectrum of a pixel is that of those around it, times a factor."""
    near = np.zeros(known.shape, bool)
    near[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = True
    near &= known
    near[row, column] = False
    own = spectra_at(cube, (np.array([row]), np.array([column])))[0].astype(np.float64)
    return _alike(own, spectra_at(cube, near).sum(0, dtype=np.float64), gain)


def _alike(own: NDArray[np.float64], others: NDArray[np.float64], gain: float) -> bool:
    """Return whether two spectra differ by a factor only, within noise or 3 %."""
    bands = np.array_split(np.arange(own.size), min(_BANDS, own.size))
    one, other = (np.array([each[band].sum() for band in bands]) for each in (own, others))
    if not (one.sum() > 0 and other.sum() > 0):
        return False
    factor = one.sum() / other.sum()
    difference = one - factor * other
    error = np.sqrt(gain * np.maximum(one + factor**2 * other, 1))
    relative = np.abs(difference) / np.maximum(factor * other, _TINY)
    return bool(((np.abs(difference) < _DIFFERENT * error) | (relative < _ALIKE)).all())
