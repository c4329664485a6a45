"""How far spectra are from what is expected, in bins from one channel to many."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from hyperspy_cvae.artefacts import deviance_roots
from hyperspy_cvae.blocks import in_threads
from hyperspy_cvae.robust import QUANTILE
from hyperspy_cvae.sampling import some_of

WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Channels that are summed up."""

TAIL_WIDTHS = (2, 8, 32)
"""Those by which the tail is compared with the tail of noise."""

_LOPSIDED = 3.0  # times the narrower side of a distribution: no more is the bulk's spread
_ENOUGH = 2000  # spectra to know a spread
_LEAST_SPREAD = 0.5  # of the median bin
_FEW = 5.0  # counts, whose spread a quantile does not tell
_BINS = 4  # at least
_AT_ONCE = 2**17
_TINY = 1e-9


class Statistic(NamedTuple):
    """A number for each spectrum, larger for what is less like the bulk."""

    values: NDArray[np.float64]
    """``(spectra,)``"""
    least: float
    """Spread of its cube root if there is nothing but noise: the bulk's is not taken for less."""


def statistics(
    counts: NDArray[np.float32],
    expected: NDArray[np.float32],
    usual: NDArray[np.bool_],
    widths: tuple[int, ...] = WIDTHS,
) -> dict[str, Statistic]:
    """Return mean squares and largest deviations of counts from what is expected.

    Deviations are signed roots of the Poisson deviance
    (:func:`hyperspy_cvae.artefacts.deviance_roots`) of counts divided by their gain, in bins of 1
    to 128 channels, no wider than a quarter of the range. Each bin is divided by its own robust
    spread among the usual spectra: there is the correlation between channels, and what a
    reconstruction misses everywhere.

    Parameters
    ----------
    counts, expected
        ``(spectra, energy)``, above 0 where they are expected.
    usual
        Spectra that say what is usual, boolean ``(spectra,)``.
    widths
        Powers of two.

    Returns
    -------
    dict
        The mean square and the largest absolute deviation of each width.
    """
    alive = expected[usual].mean(0) > 0
    channels = int(alive.sum())
    sample = some_of(usual, _ENOUGH)[0]
    known, bulk = counts[sample][:, alive], expected[sample][:, alive]
    gain = np.float32(max(np.square(known - bulk).mean() / max(bulk.mean(), _TINY), _TINY))
    widths = tuple(each for each in widths if each <= max(1, channels // _BINS))
    spreads = [_spread(each, other) for each, other in _binned(known / gain, bulk / gain, widths)]
    mean_squares = np.empty((len(widths), len(counts)))
    largest = np.empty_like(mean_squares)
    at_once = max(1, _AT_ONCE // channels)

    def part(begin: int) -> None:
        some = slice(begin, begin + at_once)
        binned = _binned(counts[some][:, alive] / gain, expected[some][:, alive] / gain, widths)
        for number, (each, bulk) in enumerate(binned):
            deviation = deviance_roots(each, bulk)
            deviation /= spreads[number]
            square = np.einsum("ij,ij->i", deviation, deviation)
            mean_squares[number, some] = square / deviation.shape[1]
            largest[number, some] = np.maximum(deviation.max(1), -deviation.min(1))

    in_threads(part, range(0, len(counts), at_once))
    found = {}
    for width, mean_square, most in zip(widths, mean_squares, largest, strict=True):
        bins = max(2, channels // width)
        # Of the cube root of a mean square (Wilson and Hilferty), and of a largest normal number.
        found[f"mean square {width}"] = Statistic(mean_square, np.sqrt(2 / 9 / bins))
        scale = np.sqrt(2 * np.log(bins))
        found[f"largest {width}"] = Statistic(most, 0.46 / scale ** (5 / 3))
    return found


def along(projections: NDArray[np.float32], usual: NDArray[np.bool_]) -> Statistic:
    """Return the squared distance in projections ``(spectra, axes)`` in units of their spread."""
    centre = np.median(projections[usual], axis=0)
    spread = np.maximum(_robust_spread(projections[usual]), _TINY)
    return Statistic(np.square((projections - centre) / spread).sum(1), 0.3)


def deviations(statistic: Statistic, usual: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return a statistic as nearly normal numbers: its cube root in upper deviations of the bulk.

    Examples
    --------
    >>> values = np.random.default_rng(0).chisquare(50, 4000) / 50
    >>> found = deviations(Statistic(values, 0.0), np.ones(4000, bool))
    >>> round(float(np.quantile(found, 0.999)), 1)
    2.8
    """
    root = np.cbrt(np.maximum(statistic.values, 0))
    middle, spread = middle_and_spread(root[usual])
    found: NDArray[np.float64] = (root - middle) / max(spread, statistic.least, _TINY)
    return found


def tail_ratio(
    of_bulk: dict[str, Statistic],
    of_noise: Sequence[dict[str, Statistic]],
    usual: NDArray[np.bool_],
) -> float:
    """Return how much wider the bulk's mean squares spread than those of noise; at least 1.

    Parameters
    ----------
    of_bulk
        Statistics of what was measured.
    of_noise
        Those of some realisations of the noise.
    usual
        Spectra that say what is usual, boolean ``(spectra,)``.
    """

    def spread(statistic: Statistic) -> float:
        return middle_and_spread(np.cbrt(np.maximum(statistic.values[usual], 0)))[1]

    names = [name for name in of_noise[0] if name.startswith("mean square")]
    ratios = []
    for name in names:
        by_noise = float(np.mean([spread(each[name]) for each in of_noise]))
        ratios.append(spread(of_bulk[name]) / (by_noise or _TINY))
    return max(1.0, float(np.median(ratios))) if ratios else 1.0


def middle_and_spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median, and how far above it a normal number is in a deviation.

    That is no more than three times as far as below it: a phase that is a quarter of a scan is not
    part of the bulk's spread.
    """
    lower, middle, upper = np.quantile(values, [1 - QUANTILE, 0.5, QUANTILE])
    spread = upper - middle
    if middle > lower:
        spread = min(spread, _LOPSIDED * (middle - lower))
    return float(middle), float(spread)


def _binned(
    counts: NDArray[np.float32], expected: NDArray[np.float32], widths: tuple[int, ...]
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    found, width = [], 1
    for each in widths:
        while width < each:
            counts, expected = _in_pairs(counts), _in_pairs(expected)
            width *= 2
        found.append((counts, expected))
    return found


def _in_pairs(values: NDArray[np.float32]) -> NDArray[np.float32]:
    whole = values.shape[1] // 2 * 2
    pairs: NDArray[np.float32] = values[:, 0:whole:2] + values[:, 1:whole:2]
    return pairs


def _spread(counts: NDArray[np.float32], expected: NDArray[np.float32]) -> NDArray[np.float32]:
    spread = _robust_spread(deviance_roots(counts, expected))
    usual = np.median(spread[spread > 0]) if (spread > 0).any() else 1.0
    spread = np.maximum(spread, _LEAST_SPREAD * usual)
    few = expected.mean(0) < _FEW
    result: NDArray[np.float32] = np.where(few, np.maximum(spread, 1), spread).astype(np.float32)
    return result


def _robust_spread(values: NDArray[np.floating]) -> NDArray[np.float64]:
    low, middle, high = np.quantile(values, [1 - QUANTILE, 0.5, QUANTILE], axis=0)
    narrower = np.minimum(high - middle, middle - low)
    spread = (high - low) / 2
    spread = np.where(narrower > 0, np.minimum(spread, _LOPSIDED * narrower), spread)
    result: NDArray[np.float64] = spread / norm.ppf(QUANTILE)
    return result
