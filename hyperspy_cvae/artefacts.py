"""Artefacts of the detector, found in the counts alone."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.stats import norm

from hyperspy_cvae.robust import quantile_deviation
from hyperspy_cvae.sampling import some

_AROUND = 4  # channels to either side that say what is usual there
_REACH = 2  # channels to either side that a hit may lift, too
_APART = (3, 4)  # channels from a hit in which there is little of it
_LARGEST = 6.5  # deviations up to which noise may go
_OVER_DIPS = 1.3  # a hit is so many times as high as dips are deep
_DIPS = 3  # the deepest of so many dips does not count, nor the next
_CANDIDATE = 0.6  # of the limit, by the quick measure
_WIDE, _BESIDE = 0.4, 0.5  # of a hit: less is left of it some channels away, and in the next pixels
_LIKE, _OTHERS = 0.5, 2  # of a hit: no more other pixels have so much near that channel
_NOISE = 5.0  # deviations, which few channels of a scan have by noise
_FAINT = 1e-3  # of the median channel: with less a channel is dead
_FEW = 5.0  # counts
_ENOUGH_SPECTRA = 1000
_AT_ONCE = 2**17  # counts, which a processor holds near it
_TINY = 1e-9
_NONE = np.empty((0, 3), np.intp)

Real = TypeVar("Real", np.float32, np.float64)


@dataclass(frozen=True)
class Hits:
    """X-ray hits: one to three channels of single pixels that are far too high.

    Attributes
    ----------
    pixels
        Where they are, boolean ``(rows, columns)``.
    height
        The highest of each pixel in standard deviations of the noise, ``(rows, columns)``; 0
        elsewhere.
    limit
        From which height on an excess is a hit.
    places
        Row, column and channel of each, ``(hits, 3)``.
    """

    pixels: NDArray[np.bool_]
    height: NDArray[np.float64]
    limit: float
    places: NDArray[np.intp]


def find_hits(cube: NDArray[np.float32]) -> tuple[Hits, NDArray[np.float32]]:
    r"""Return the X-ray hits of a scan, and its counts without them.

    An X-ray, or a cosmic ray, lifts one to three channels of a single pixel. Be :math:`r` the
    signed root of the Poisson deviance of the counts, divided by the gain, from the mean spectrum
    times the pixel's total, and :math:`h` its difference from its median over nine channels, in
    units of its spread in that channel. Dips are as likely by noise as excesses, but no ray makes
    one: a hit has an :math:`h` of more than 6.5 and more than 1.3 times the third-deepest dip of
    the scan. Less than half of it is in the same channel of the four neighbouring pixels, and less
    than .4 of it three and four channels away: an edge is wider. No more than two other pixels
    have half of it, and 5, within two channels: where bulk has a line of its own, many do.

    Around a hit five channels are replaced by the mean spectrum, scaled to the channels beside. A
    line of the specimen that is as narrow, in a single pixel, looks the same.

    Parameters
    ----------
    cube
        Counts ``(rows, columns, energy)``, finite; left as they are.

    Returns
    -------
    hits : Hits
        Where they are.
    repaired : numpy.ndarray
        The cube itself if there are none, else a copy.

    Examples
    --------
    >>> expected = np.full((20, 20, 100), 50.0)
    >>> counts = np.random.default_rng(0).poisson(expected).astype(np.float32)
    >>> counts[5, 6, 70] += 300
    >>> hits, repaired = find_hits(counts)
    >>> np.argwhere(hits.pixels), bool(repaired[5, 6, 70] < 60)
    (array([[5, 6]]), True)
    """
    rows, columns, channels = cube.shape
    highest = np.zeros(rows * columns)
    nothing = Hits(np.zeros((rows, columns), bool), highest.reshape(rows, columns), np.inf, _NONE)
    flat = cube.reshape(-1, channels)
    scale = _Scale.of(flat)
    if scale is None or channels < 2 * _AROUND + 1:
        return nothing, cube
    pixels, at, depth = scale.candidates(flat)
    limit = max(_LARGEST, _OVER_DIPS * depth)
    height = scale.heights(flat, pixels, at)
    high = height > limit
    pixels, at, height = pixels[high], at[high], height[high]
    alone = _alone(scale, flat, pixels, at, height, (rows, columns))
    pixels, at, height = pixels[alone], at[alone], height[alone]
    alone = _unlike_others(scale, flat, at, height)
    if not alone.any():
        return replace(nothing, limit=limit), cube
    pixels, at, height = pixels[alone], at[alone], height[alone]
    repaired = flat.copy()
    for pixel, channel in zip(pixels.tolist(), at.tolist(), strict=True):
        _repair(repaired[pixel], scale.mean, channel)
    np.maximum.at(highest, pixels, height)
    highest = highest.reshape(rows, columns)
    places = np.stack([*np.unravel_index(pixels, (rows, columns)), at], axis=1)
    return Hits(highest > 0, highest, limit, places), repaired.reshape(cube.shape)


@dataclass(frozen=True)
class _Scale:
    """What counts are usual in a scan, and how far they are off by noise."""

    mean: NDArray[np.float64]  # of spectra with a sum of one
    total: NDArray[np.float64]  # of each spectrum
    gain: float
    deviation: NDArray[np.float64]  # of heights in each channel; infinite where it is dead
    few: bool  # counts, of which a median says little

    @classmethod
    def of(cls, flat: NDArray[np.float32]) -> "_Scale | None":
        """Estimate it from 1000 spectra ``(pixels, energy)``; None if there is no noise."""
        total = np.maximum(flat.sum(1, dtype=np.float64), 0)
        sample = some(len(flat), _ENOUGH_SPECTRA)
        counts, sums = np.maximum(flat[sample], 0).astype(np.float64), total[sample, np.newaxis]
        few = bool(np.median(counts) < _FEW)
        mean = counts.sum(0) if few else np.median(counts / np.maximum(sums, _TINY), 0)
        if not mean.sum() > 0:
            return None
        mean /= mean.sum()
        alive = mean > _FAINT * np.median(mean[mean > 0])
        expected = sums * mean
        # Differences of neighbouring channels, for the bulk varies slowly.
        left = np.diff(counts - expected, axis=1)[:, ::2]
        both = (expected[:, 1:] + expected[:, :-1])[:, ::2]
        if few:
            gain = np.square(left).sum() / max(both.sum(), _TINY)
        else:
            gain = np.median(np.square(left) / np.maximum(both, _TINY)) / norm.ppf(0.75) ** 2
        if not gain > _TINY:
            return None
        roots = deviance_roots(counts / gain, expected / gain)
        heights = roots - _medians(roots)
        deviation = quantile_deviation(heights)
        usual = np.median(deviation[deviation > 0]) if (deviation > 0).any() else 1.0
        deviation = np.maximum(deviation, max(usual, 1.0) if few else usual)
        return cls(mean, total, float(gain), np.where(alive, deviation, np.inf), few)

    def candidates(
        self, flat: NDArray[np.float32]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], float]:
        """Return the pixels and channels that may hold a hit, and how deep the third dip is.

        They are those that are far from the channels three away, in units of their noise.
        """
        high, low = [_NONE[:, :2]], [_NONE[:, :2]]
        apart = _APART[0]
        unit = np.float32(1) / np.sqrt(np.maximum(self.mean * self.gain, _TINY)).astype(np.float32)

        def step(values: NDArray[np.float32]) -> NDArray[np.float32]:
            padded = np.pad(values, ((0, 0), (apart, apart)), mode="reflect")
            beside = padded[:, : -2 * apart] + padded[:, 2 * apart :]
            beside *= np.float32(-0.5)
            beside += values
            return beside

        usual = step((self.mean * unit).astype(np.float32)[np.newaxis])
        root = np.sqrt(np.maximum(self.total, _TINY)).astype(np.float32)
        farthest = (_CANDIDATE * _LARGEST * self.deviation).astype(np.float32)
        at_once = max(1, _AT_ONCE // flat.shape[1])
        for begin in range(0, len(flat), at_once):
            block = slice(begin, begin + at_once)
            scale = root[block, np.newaxis]
            far = step(flat[block] * (unit / scale))
            far -= scale * usual
            for found, is_so in ((high, far > farthest), (low, far < -farthest)):
                if is_so.any():
                    found.append(np.argwhere(is_so) + np.array([begin, 0]))
        pixels, channels = np.concatenate(high).T
        at, where = np.concatenate(low).T
        dips = np.zeros(len(flat))
        np.maximum.at(dips, at, -self.heights(flat, at, where))
        return pixels, channels, float(np.sort(dips)[-_DIPS:][0])

    def heights(
        self, flat: NDArray[np.float32], pixels: NDArray[np.intp], channels: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return how high some channels of some pixels are, in standard deviations."""
        around = np.arange(-_AROUND, _AROUND + 1)
        near = np.abs(channels[:, np.newaxis] + around)  # beyond the ends it is mirrored
        near = np.minimum(near, 2 * (flat.shape[1] - 1) - near)
        counts = np.maximum(flat[pixels[:, np.newaxis], near], 0).astype(np.float64)
        expected = self.total[pixels, np.newaxis] * self.mean[near]
        roots = deviance_roots(counts / self.gain, expected / self.gain)
        usual = np.median(roots, axis=1)
        if self.few:  # which is below the mean, so that noise would look higher
            usual = np.maximum(usual, 0)
        found: NDArray[np.float64] = roots[:, _AROUND] - usual
        return found / self.deviation[channels]


def deviance_roots(counts: NDArray[Real], expected: NDArray[Real]) -> NDArray[Real]:
    r"""Return signed roots of the Poisson deviance, nearly normal numbers also for few counts.

    .. math:: r = \mathrm{sign}(x - b) \sqrt{2 (x \log (x / b) - x + b)}

    for counts :math:`x` where :math:`b` are expected (P. McCullagh and J. A. Nelder, Generalized
    Linear Models, 1989, section 2.4).

    Examples
    --------
    >>> deviance_roots(np.array([0.0, 4.0, 9.0]), np.array([4.0, 4.0, 4.0])).round(2)
    array([-2.83,  0.  ,  2.14])
    """
    expected = np.maximum(expected, _TINY)
    deviance = counts * np.log(np.maximum(counts / expected, _TINY)) - counts + expected
    roots = np.sqrt(2 * np.maximum(deviance, 0))
    return np.copysign(roots, counts - expected)


def _medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the running medians over energy, of nine channels."""
    found: NDArray[np.float64] = median_filter(values, (1, 2 * _AROUND + 1), mode="mirror")
    return found


def _alone(
    scale: _Scale,
    flat: NDArray[np.float32],
    pixels: NDArray[np.intp],
    channels: NDArray[np.intp],
    heights: NDArray[np.float64],
    shape: tuple[int, int],
) -> NDArray[np.bool_]:
    """Return which excesses are narrow, and not in the next pixels as well."""
    alone = np.ones(len(pixels), bool)
    for far in (*_APART, *(-each for each in _APART)):
        at = channels + far
        inside = (at >= 0) & (at < flat.shape[1])
        beside = np.abs(scale.heights(flat, pixels, np.clip(at, 0, flat.shape[1] - 1)))
        alone &= ~inside | (beside < _WIDE * heights)
    row, column = np.unravel_index(pixels, shape)
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        there = row + down, column + right
        inside = (there[0] >= 0) & (there[0] < shape[0]) & (there[1] >= 0) & (there[1] < shape[1])
        clipped = tuple(np.clip(each, 0, n - 1) for each, n in zip(there, shape, strict=True))
        beside = scale.heights(flat, np.ravel_multi_index(clipped, shape), channels)
        alone &= ~inside | (beside < _BESIDE * heights)
    return alone


def _unlike_others(
    scale: _Scale,
    flat: NDArray[np.float32],
    channels: NDArray[np.intp],
    heights: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return which excesses hardly any other pixel has near that channel: a line has many."""
    unlike = np.zeros(len(channels), bool)
    pixels = np.arange(len(flat))
    for channel in np.unique(channels).tolist():
        near = range(max(0, channel - _REACH), min(channel + _REACH + 1, flat.shape[1]))
        of_pixels = np.max([scale.heights(flat, pixels, np.full_like(pixels, c)) for c in near], 0)
        here = channels == channel
        most = np.sort(of_pixels)[-2 - _OTHERS :][0]
        unlike[here] = most < np.maximum(_LIKE * heights[here], _NOISE)
    return unlike


def _repair(spectrum: NDArray[np.float32], mean: NDArray[np.float64], channel: int) -> None:
    """Replace what a hit has lifted by the mean spectrum, scaled to the channels beside."""
    first, last = max(0, channel - _REACH), channel + _REACH + 1
    beside = np.r_[max(0, first - 6) : first, last : min(last + 6, len(spectrum))]
    scale = np.maximum(spectrum[beside], 0).sum() / max(mean[beside].sum(), _TINY)
    spectrum[first:last] = mean[first:last] * scale
