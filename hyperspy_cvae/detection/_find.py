"""One verdict for whatever was reconstructed: which pixels are less like it than bulk ever is."""

from collections.abc import Iterator
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label, maximum_filter
from scipy.stats import norm, t

from hyperspy_cvae.blocks import Cube, in_memory
from hyperspy_cvae.detection._extent import region_extent
from hyperspy_cvae.detection._resolutions import Smoothing, resolutions
from hyperspy_cvae.detection._statistics import (
    TAIL_WIDTHS,
    along,
    deviations,
    middle_and_spread,
    statistics,
    tail_ratio,
)
from hyperspy_cvae.detection._threshold import Threshold
from hyperspy_cvae.isolation import axes_of_isolated, flipped, scaled
from hyperspy_cvae.low_rank import low_rank_bulk
from hyperspy_cvae.shards import binned, binned_blocks

DARKEST = 0.05
"""Of the mean brightness: a spectrum with less says nothing, and is not judged."""

SECOND_PHASE = 0.04
"""Share of the pixels from which on anomalies may be a second phase."""

_CHANCE, _TESTS = 0.05, 16  # statistics that are looked at at one resolution
_FACTOR = 1.4  # of the normal quantile: the bulk's tail is heavier
_LOWEST = 0.62  # of the limit, in the region around a pixel that reaches it
_RIM, _RIM_REACH = 0.5, 5  # of the highest nearby: less is the rim that smoothing makes
_PEAK = {"mean square": 0.3, "largest": 0.5, "own": 0.3}  # of the highest excess nearby
_PEAK_REACH = 9
_AXES = 6
_FEWEST = 20  # spectra to know what is usual
_ELEMENTS = 8 * 2**20  # counts: channels are summed up to as many
_TILE = 16 * 2**20  # counts in a tile of a large scan
_ENOUGH_NOISE, _MOST_NOISE = 2000, 8  # spectra; realisations of noise of a small scan
_ROUNDING = 1e-5
_NOWHERE = -9.0


class Found(NamedTuple):
    """What does not belong to the bulk of a scan."""

    scores: NDArray[np.float64]
    """Less how far a spectrum is from the bulk, ``(rows, columns)``; NaN where it is not judged.
    They are below the limit in the mask, and nowhere else."""
    mask: NDArray[np.bool_]
    limit: float
    p_values: NDArray[np.float64]
    """How probable it is that bulk goes as low anywhere in the scan."""
    set_aside: NDArray[np.bool_] | None = None
    """Regions that are rare bulk."""

    def without(self, rare: NDArray[np.bool_]) -> "Found":
        """Return what is found without some regions, which get the limit for a score."""
        scores = np.where(rare, np.fmax(self.scores, self.limit), self.scores)
        return self._replace(scores=scores, mask=self.mask & ~rare, set_aside=rare)

    @property
    def threshold(self) -> Threshold:
        """The limit, and in words whether anything is below it."""
        if not np.isfinite(self.scores).any():
            reason = "No pixel could be judged, so nothing is called anomalous."
            return Threshold(np.nan, "auto", True, np.nan, reason, "no pixel judged")
        lowest = np.nanargmin(self.scores)
        score, p_value = float(self.scores.flat[lowest]), float(self.p_values.flat[lowest])
        if self.mask.any():
            reason, label = self._found(p_value), f"limit {self.limit:.3g}"
        elif self.set_aside is not None and self.set_aside.any():
            reason, label = "Nothing found but rare bulk.", "rare bulk only"
        else:
            reason = (
                f"Nothing found: the most unusual place ({score:.3g}) is no more unusual than "
                f"ordinary pixels (p = {p_value:.1g}). A place would have to score below "
                f"{self.limit:.3g}."
            )
            label = "nothing below the limit"
        if self.set_aside is not None and self.set_aside.any():
            number, pixels = _count(self.set_aside), int(self.set_aside.sum())
            reason += (
                f" {number} region{'s' * (number > 1)} ({pixels} pixel{'s' * (pixels > 1)}) set "
                f"aside as rare bulk: other energies predict {'them' if number > 1 else 'it'}."
            )
        return Threshold(self.limit, "auto", not self.mask.any(), p_value, reason, label)

    def _found(self, p_value: float) -> str:
        number = _count(self.mask)
        reason = (
            f"{number} region{'s' * (number > 1)} found below {self.limit:.3g} (p = {p_value:.1g})."
        )
        share = self.mask.sum() / np.isfinite(self.scores).sum()
        if share > SECOND_PHASE:
            reason += (
                f" {share:.0%} of the pixels are too many for rare defects: perhaps a second phase."
            )
        return reason


def _count(mask: NDArray[np.bool_]) -> int:
    return int(label(mask, np.ones((3, 3)))[1])


def find_low_scores(scores: NDArray[np.floating]) -> Found:
    """Return where the scores of a map, such as of correlations, are lower than the bulk's.

    Their distance from the highest possible, 1, is one statistic at one resolution, and is judged
    as each is by :func:`find_anomalies`.

    Parameters
    ----------
    scores
        ``(rows, columns)``, higher for more normal; NaN belongs nowhere.

    Examples
    --------
    >>> scores = 1 - np.random.default_rng(0).chisquare(40, (30, 30)) / 1000
    >>> int(find_low_scores(scores).mask.sum())
    0
    >>> scores[3:5, 7:9] = 0.8
    >>> int(find_low_scores(scores).mask.sum())
    4
    """
    judged = np.isfinite(scores)
    nothing = np.zeros(scores.shape, bool)
    if judged.sum() < _FEWEST:
        return Found(scores.astype(float), nothing, np.nan, np.full(scores.shape, np.nan))
    roots = np.cbrt(np.maximum(1 - scores, 0))
    middle, spread = middle_and_spread(roots[judged])
    if not spread > 0:
        return Found(scores.astype(float), nothing, np.nan, np.full(scores.shape, np.nan))
    height = (roots - middle) / spread
    tests = float(_TESTS * judged.sum())
    limit = float(_FACTOR * norm.isf(_CHANCE / tests))
    mask, value = above(height, limit), 1 - (middle + limit * spread) ** 3
    p_values = np.where(judged, bulk_p_values(-height, tests), np.nan)
    return Found(scores.astype(float), mask, value, p_values)


def bulk_p_values(scores: NDArray[np.floating], tests: float) -> NDArray[np.float64]:
    """Return how probable it is that bulk goes as low as some scores in so many tests.

    Examples
    --------
    >>> bulk_p_values(np.array([-8.0, -4.0]), 1000).round(7)
    array([5.5e-06, 1.0e+00])
    """
    p_values: NDArray[np.float64] = np.minimum(tests * norm.sf(-scores / _FACTOR), 1)
    return p_values


def find_anomalies(
    measured: Cube,
    expected: Cube | None,
    energy_bin: int,
    judged: NDArray[np.bool_],
) -> Found:
    r"""Return how unlike the bulk every spectrum is, and the regions that bulk does not explain.

    The scan is looked at as it is, with the counts of 3 x 3 pixels added up, and smoothed by
    Gaussians of 1.5 and (in scans of 40 x 40 pixels and more) of 3 pixels. At each resolution
    measured counts are compared with what is expected by up to 17 statistics: the mean square and
    the largest of their deviations in bins of 1 to 128 channels, and their distance along the axes
    that only isolated spectra have. The cube root of each is brought to one scale, in upper
    deviations of the bulk, over the ratio of these to those of noise (whose signs are flipped), and
    over that of the quantiles of Student's t to normal ones: in a small scan few independent pixels
    measure the spread.
    The bulk are the spectra whose residuals are not isolated
    (:func:`hyperspy_cvae.isolation.isolation`). The score is less the largest of all.

    A pixel is anomalous if it exceeds

    .. math:: 1.4 \, \Phi^{-1}\left(1 - \frac{0.05}{16 P L}\right)

    for :math:`P` pixels and :math:`L` resolutions, and so are the pixels around it down to .62 of
    that and half of the highest nearby. A region is left out of coarser resolutions. Its extent is
    measured by its own mean spectrum: see :func:`region_extent`.

    Parameters
    ----------
    measured
        Counts in the energies to compare, ``(rows, columns, energy)``, finite.
    expected
        Their reconstruction, of the same shape. None to take a low rank of the counts at each
        resolution (:func:`hyperspy_cvae.low_rank.low_rank_bulk`).
    energy_bin
        Most channels that may be summed up: of scans with more than 8 million counts, so many are
        that they have fewer.
    judged
        Pixels to judge, ``(rows, columns)``. Those darker than a twentieth of the mean are not.

    Examples
    --------
    >>> bulk = np.full((30, 30, 60), 100.0, np.float32)
    >>> counts = np.random.default_rng(0).poisson(bulk).astype(np.float32)
    >>> counts[4:7, 9:11, 20:30] *= 1.5
    >>> found = find_anomalies(counts, bulk, 1, np.ones((30, 30), bool))
    >>> np.argwhere(found.mask).min(0), np.argwhere(found.mask).max(0), int(found.mask.sum())
    (array([4, 9]), array([ 6, 10]), 6)
    """
    rows, columns, channels = measured.shape
    together = -(-rows * columns * channels // _ELEMENTS)
    together = int(np.clip(together, 1, max(1, energy_bin)))
    scores = np.full(judged.shape, np.nan)
    mask = np.zeros(judged.shape, bool)
    levels = len(resolutions((rows, columns)))
    tests = float(_TESTS * levels * (int(judged.sum()) or 1))
    limit = float(_FACTOR * norm.isf(_CHANCE / tests))
    for tile, inner in _tiles((rows, columns), channels // together):
        # What is added up in memory is all that is read of a scan on disk.
        counts, bulk = (
            None if each is None else np.maximum(_summed(each[tile], together), 0)
            for each in (measured, expected)
        )
        assert counts is not None
        height, regions = _in_tile(counts, bulk, judged[tile], limit, (rows, columns))
        scores[tile][inner] = -height[inner]
        mask[tile][inner] = regions[inner]
    return Found(scores, mask, -limit, bulk_p_values(scores, tests))


def _tiles(
    shape: tuple[int, int], channels: int
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Yield tiles of a scan with a margin, and what of each is inside of it."""
    margin = len(resolutions(shape)[-1]) // 2
    pixels = max(1, _TILE // max(1, channels))
    side = int(np.sqrt(pixels))
    high = min(shape[0], max(side, pixels // max(1, shape[1])))
    wide = min(shape[1], max(side, pixels // max(1, high)))
    for (outer_rows, rows), (outer_columns, columns) in product(
        _parts(shape[0], high, margin), _parts(shape[1], wide, margin)
    ):
        yield (outer_rows, outer_columns), (rows, columns)


def _parts(length: int, side: int, margin: int) -> list[tuple[slice, slice]]:
    """Return parts of an axis with a margin, and what of each is inside of it."""
    number = -(-length // side)
    edges = [length * each // number for each in range(number + 1)]
    parts = []
    for first, last in pairwise(edges):
        begin = max(0, first - margin)
        parts.append((slice(begin, min(last + margin, length)), slice(first - begin, last - begin)))
    return parts


def _summed(cube: Cube, width: int) -> NDArray[np.float32]:
    if isinstance(cube, np.ndarray):
        return binned(cube.astype(np.float32, copy=False), width) if width > 1 else cube
    return in_memory(binned_blocks(cube, width))


def _in_tile(
    counts: NDArray[np.float32],
    bulk: NDArray[np.float32] | None,
    judged: NDArray[np.bool_],
    limit: float,
    scan: tuple[int, int],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return how far each pixel is from the bulk, NaN where it is not judged, and the regions."""
    shape = counts.shape[:2]
    brightness = counts.sum(2)
    mean = brightness[judged].mean() if judged.any() else 0.0
    judged = judged & (brightness > DARKEST * mean)
    height = np.where(judged, _NOWHERE, np.nan)
    regions = np.zeros(shape, bool)
    if judged.sum() < _FEWEST:
        return height, regions
    left = judged
    noise: list[NDArray[np.float32]] = []
    finest, alone = None, regions
    axes = np.empty((0, counts.shape[2]), np.float32)
    for weights in resolutions(scan):
        smoothing = Smoothing(weights, left)
        used = smoothing.enough.ravel()
        if used.sum() < _FEWEST:
            break
        spectra = smoothing(counts)
        noise_here = [smoothing(each) for each in noise]
        if bulk is None:
            expected = low_rank_bulk(spectra, used, noise_here or None).expected(spectra)
        else:
            expected = smoothing(bulk)
        expected = np.maximum(expected, np.float32(1e-6 * expected.mean()))
        rest = spectra - expected
        if np.square(rest[used]).mean() < _ROUNDING**2 * np.square(expected[used]).mean():
            break  # rounding, not noise
        residual = scaled(rest, expected, used)
        if not noise:
            number = int(np.clip(_ENOUGH_NOISE // used.sum(), 1, _MOST_NOISE))
            noise_here = [flipped(rest, seed) for seed in range(number)]
            noise = [each.reshape(counts.shape) for each in noise_here]
            finest = residual.reshape(counts.shape)
        scaled_noise = [scaled(each, expected, used) for each in noise_here]
        usual, own = axes_of_isolated(residual, scaled_noise, used, _AXES)
        axes = _joined(axes, own)
        found = statistics(spectra, expected, usual)
        by_noise = [
            statistics(expected + each, expected, usual, TAIL_WIDTHS) for each in noise_here
        ]
        ratio = tail_ratio(found, by_noise, usual)
        ratio *= _uncertainty(int(usual.sum()), weights, shape, limit)
        if len(axes):
            found["own"] = along(residual @ axes.T, usual)
        here = np.full(shape, _NOWHERE)
        for name, statistic in found.items():
            far = np.where(used, deviations(statistic, usual) / ratio, _NOWHERE).reshape(shape)
            if len(weights) > 1:
                # The rim of what was smoothed is not found for itself.
                excess = statistic.values - np.median(statistic.values[usual])
                excess = np.where(used, excess, 0).reshape(shape)
                peak = _PEAK[name.rstrip(" 0123456789")]
                high = excess > peak * maximum_filter(excess, _PEAK_REACH)
                far = np.where(high, far, np.minimum(far, _LOWEST * limit))
            here = np.maximum(here, far)
        height = np.where(judged, np.maximum(height, here), np.nan)
        if len(weights) == 1:
            alone = here > limit
        new = above(here, limit)
        regions |= new
        left = left & ~new
    if finest is not None and regions.any():
        regions = region_extent(regions, height, finest, judged) | (regions & alone)
    inside = np.nextafter(limit, np.inf)
    height = np.where(regions, np.maximum(height, inside), np.minimum(height, limit))
    return height, regions


def _uncertainty(
    pixels: int, weights: NDArray[np.float64], shape: tuple[int, ...], limit: float
) -> float:
    """Return by how much a limit grows as few independent pixels measure the spread.

    It is the ratio of the quantiles of Student's t and of a normal number.
    """
    shared = np.square(weights).sum() / weights.sum() ** 2
    independent = pixels * shared ** sum(length > 1 for length in shape)
    chance = norm.sf(limit / _FACTOR)
    return float(t.isf(chance, max(independent, 3)) / norm.isf(chance))


def above(height: NDArray[np.floating], limit: float) -> NDArray[np.bool_]:
    """Return the regions around what exceeds a limit, without the rims that smoothing makes."""
    highest = maximum_filter(np.nan_to_num(height, nan=_NOWHERE), _RIM_REACH)
    labels, _ = label(height > np.maximum(_LOWEST * limit, _RIM * highest), np.ones((3, 3)))
    found: NDArray[np.bool_] = np.isin(labels, np.unique(labels[height > limit])) & (labels > 0)
    return found


def _joined(axes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return orthonormal axes of both."""
    both = np.concatenate([axes, others])
    if not len(both):
        return both
    lengths, found = np.linalg.svd(both, full_matrices=False)[1:]
    joined: NDArray[np.float32] = found[:_AXES][lengths[:_AXES] > 0.5]
    return joined
