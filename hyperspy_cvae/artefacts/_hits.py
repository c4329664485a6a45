"""X-ray hits, found in the counts alone."""

from dataclasses import dataclass
from itertools import compress
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.stats import norm

from hyperspy_cvae.blocks import AnyCube, Cube, gathered, replaced, spectra_at
from hyperspy_cvae.robust import quantile_deviation
from hyperspy_cvae.sampling import some_of

_AROUND = 4  # channels to either side that say what is usual there
_REACH = 2  # channels to either side that a hit may lift, too
_APART = (3, 4)  # channels from a hit in which there is little of it
_LARGEST = 6.5  # deviations up to which noise may go
_OVER_DIPS = 1.3  # a hit is so many times as high as dips are deep
_DIPS = 3  # the deepest of so many dips does not count, nor the next
_CANDIDATE = 0.6  # of the limit, by the quick measure
_WIDE, _BESIDE = 0.4, 0.5  # of a hit: less is left of it some channels away, and in the next pixels
_BESIDE_HIT = 20  # channels to either side by which spectra are alike
_ALIKE, _SHARE_ALIKE = 20, 20  # spectra at most, and one of so many
_LIKE, _OTHERS = 0.5, 2  # of a hit: no more other pixels have so much near that channel
_NOISE = 5.0  # deviations, which few channels of a scan have by noise
_FAINT = 1e-3  # of the median channel: with less a channel is dead
_FEW = 5.0  # counts
_ENOUGH_SPECTRA = 1000
_AT_ONCE = 2**17  # counts, which a processor holds near it
_TINY = 1e-9

Real = TypeVar("Real", np.float32, np.float64)


class Hits(NamedTuple):
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


def find_hits(cube: AnyCube, total: NDArray[np.floating]) -> tuple[Hits, AnyCube]:
    r"""Return the X-ray hits of a scan, and its counts without them.

    An X-ray, or a cosmic ray, lifts one to three channels of a single pixel. Be :math:`r` the
    signed root of the Poisson deviance of the counts, divided by the gain, from the mean spectrum
    times the pixel's total, and :math:`h` its difference from its median over nine channels, in
    units of its spread in that channel. Dips are as likely by noise as excesses, but no ray makes
    one: a hit has an :math:`h` of more than 6.5 and more than 1.3 times the third-deepest dip of
    the scan. Less than half of it is in the same channel of the four neighbouring pixels, and less
    than .4 of it three and four channels away: an edge is wider. No more than two other pixels
    have half of it, and 5, within two channels: where bulk has a line of its own, many do.

    Around a hit five channels are replaced by the mean of those spectra of the scan that are most
    like it in twenty channels to either side, up to 20, each scaled to these. If less than half of
    :math:`h` is left above them, it is no hit: the end of a drift has a maximum where the mean has
    none. A line of the specimen that is as narrow, in a single pixel, looks like a hit.

    Parameters
    ----------
    cube
        Counts ``(rows, columns, energy)``, finite; left as they are.
    total
        The sum of each spectrum, not negative, ``(rows, columns)``.

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
    >>> hits, repaired = find_hits(counts, counts.sum(2))
    >>> np.argwhere(hits.pixels), bool(repaired[5, 6, 70] < 60)
    (array([[5, 6]]), True)
    """
    shape = total.shape
    nothing = Hits(np.zeros(shape, bool), np.zeros(shape), np.inf, np.empty((0, 3), np.intp))
    scale = _Scale.of(cube, total)
    if scale is None or cube.shape[2] < 2 * _AROUND + 1:
        return nothing, cube
    parts = gathered(scale.candidates, cube, total)
    found = _Candidates(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    limit = max(_LARGEST, _OVER_DIPS * float(np.sort(found.dips)[-_DIPS:][0]))
    high = np.flatnonzero(found.heights > limit)
    high = high[_unlike_others(found, high)]
    places, height = found.places[high], found.heights[high]
    alone = _alone(scale, cube, total, places, height)
    places, height = places[alone], height[alone]
    usual = [
        scale.usual(spectrum, channel)
        for spectrum, channel in zip(
            spectra_at(cube, (places[:, 0], places[:, 1])), places[:, 2].tolist(), strict=True
        )
    ]
    unlike = np.array([each.height for each in usual]) > _LIKE * height
    places, height = places[unlike], height[unlike]
    if not len(places):
        return nothing._replace(limit=limit), cube
    highest = np.zeros(shape)
    np.maximum.at(highest, (places[:, 0], places[:, 1]), height)
    pixels = highest > 0
    number = np.cumsum(pixels).reshape(shape) - 1
    spectra = spectra_at(cube, pixels)
    for (row, column, _), each in zip(places.tolist(), compress(usual, unlike), strict=True):
        spectra[number[row, column], each.channels] = each.counts
    return Hits(pixels, highest, limit, places), replaced(cube, pixels, spectra)


class _Candidates(NamedTuple):
    """What may be a hit, and the dips of each spectrum."""

    places: NDArray[np.intp]  # row, column, channel
    heights: NDArray[np.float64]
    dips: NDArray[np.float64]  # the deepest of a spectrum


class _Usual(NamedTuple):
    """What a spectrum would hold without a hit."""

    channels: slice
    counts: NDArray[np.float32]
    height: float  # of the hit above it, in standard deviations


@dataclass(frozen=True)
class _Scale:
    """What counts are usual in a scan, and how far they are off by noise."""

    spectra: NDArray[np.float64]  # some of the scan
    mean: NDArray[np.float64]  # of spectra with a sum of one
    gain: float
    deviation: NDArray[np.float64]  # of heights in each channel; infinite where it is dead
    few: bool  # counts, of which a median says little

    @classmethod
    def of(cls, cube: Cube, total: NDArray[np.floating]) -> "_Scale | None":
        """Estimate it from 1000 spectra; None if there is no noise."""
        sample = some_of(np.ones(total.shape, bool), _ENOUGH_SPECTRA)
        counts = np.maximum(spectra_at(cube, sample), 0).astype(np.float64)
        sums = total[sample][:, np.newaxis].astype(np.float64)
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
        return cls(counts, mean, float(gain), np.where(alive, deviation, np.inf), few)

    def usual(self, spectrum: NDArray[np.float32], channel: int) -> _Usual:
        """Return what the spectra hold around a channel that are most like one beside it."""
        first, last = max(0, channel - _REACH), channel + _REACH + 1
        near = np.r_[max(0, first - _BESIDE_HIT) : first, last : last + _BESIDE_HIT]
        near = near[near < len(spectrum)]
        own, others = np.maximum(spectrum[near], 0).astype(np.float64), self.spectra[:, near]
        factor = others @ own / np.maximum(np.square(others).sum(1), _TINY)
        misfit = np.square(own - factor[:, np.newaxis] * others)
        distance = (misfit / np.maximum(self.mean[near], _TINY)).sum(1)
        distance[distance <= 0] = np.inf  # the spectrum itself
        number = len(distance) // (2 if self.few else _SHARE_ALIKE)
        alike = np.argsort(distance)[
            : int(np.clip(number, 1, len(distance) if self.few else _ALIKE))
        ]
        counts = (factor[alike, np.newaxis] * self.spectra[alike, first:last]).mean(0)
        there = channel - first
        root = deviance_roots(
            np.maximum(spectrum[channel : channel + 1], 0).astype(np.float64) / self.gain,
            counts[there : there + 1] / self.gain,
        )
        height = float(root[0] / self.deviation[channel])
        return _Usual(slice(first, last), counts.astype(np.float32), height)

    def candidates(
        self, block: NDArray[np.float32], total: NDArray[np.floating], origin: tuple[int, int]
    ) -> _Candidates:
        """Return what may be a hit in a block of a cube that begins at a pixel.

        It is far from the channels three away, in units of their noise.
        """
        flat, total = block.reshape(-1, block.shape[2]), total.reshape(-1)
        empty = np.empty((0, 2), np.intp)
        high, low = [empty], [empty]
        apart = _APART[0]
        unit = np.float32(1) / np.sqrt(np.maximum(self.mean * self.gain, _TINY)).astype(np.float32)

        def step(values: NDArray[np.float32]) -> NDArray[np.float32]:
            padded = np.pad(values, ((0, 0), (apart, apart)), mode="reflect")
            beside = padded[:, : -2 * apart] + padded[:, 2 * apart :]
            beside *= np.float32(-0.5)
            beside += values
            return beside

        usual = step((self.mean * unit).astype(np.float32)[np.newaxis])
        root = np.sqrt(np.maximum(total, _TINY)).astype(np.float32)
        farthest = (_CANDIDATE * _LARGEST * self.deviation).astype(np.float32)
        at_once = max(1, _AT_ONCE // flat.shape[1])
        for begin in range(0, len(flat), at_once):
            part = slice(begin, begin + at_once)
            scale = root[part, np.newaxis]
            far = step(flat[part] * (unit / scale))
            far -= scale * usual
            for found, is_so in ((high, far > farthest), (low, far < -farthest)):
                if is_so.any():
                    found.append(np.argwhere(is_so) + np.array([begin, 0]))
        pixels, channels = np.concatenate(high).T
        at, where = np.concatenate(low).T
        dips = np.zeros(len(flat))
        np.maximum.at(dips, at, -self.heights(flat[at], total[at], where))
        rows, columns = np.unravel_index(pixels, block.shape[:2])
        places = np.stack([rows + origin[0], columns + origin[1], channels], axis=1)
        heights = self.heights(flat[pixels], total[pixels], channels)
        return _Candidates(places, heights, np.sort(dips)[-_DIPS:])

    def heights(
        self,
        spectra: NDArray[np.float32],
        total: NDArray[np.floating],
        channels: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """Return how high a channel of each spectrum is, in standard deviations."""
        around = np.arange(-_AROUND, _AROUND + 1)
        near = np.abs(channels[:, np.newaxis] + around)  # beyond the ends it is mirrored
        near = np.minimum(near, 2 * (spectra.shape[1] - 1) - near)
        counts = np.maximum(np.take_along_axis(spectra, near, 1), 0).astype(np.float64)
        expected = total[:, np.newaxis] * self.mean[near]
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
    cube: Cube,
    total: NDArray[np.floating],
    places: NDArray[np.intp],
    heights: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return which excesses are narrow, and not in the next pixels as well."""
    rows, columns, channels = places.T

    def beside(down: int, right: int, far: int) -> NDArray[np.float64]:
        there = rows + down, columns + right
        at = channels + far
        inside = (at >= 0) & (at < cube.shape[2])
        for each, size in zip(there, total.shape, strict=True):
            inside &= (each >= 0) & (each < size)
        pixels = tuple(each[inside] for each in there)
        found = np.zeros(len(places))
        found[inside] = scale.heights(spectra_at(cube, pixels), total[pixels], at[inside])
        return found

    alone = np.ones(len(places), bool)
    for far in (*_APART, *(-each for each in _APART)):
        alone &= np.abs(beside(0, 0, far)) < _WIDE * heights
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        alone &= beside(down, right, 0) < _BESIDE * heights
    return alone


def _unlike_others(candidates: _Candidates, which: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which excesses hardly any other pixel has near that channel: a line has many."""
    unlike = np.zeros(len(which), bool)
    rows, columns, channels = candidates.places.T
    pixels = rows * (columns.max(initial=0) + 1) + columns
    for channel in np.unique(channels[which]).tolist():
        near = np.abs(channels - channel) <= _REACH
        _, of_pixel = np.unique(pixels[near], return_inverse=True)
        highest = np.zeros(of_pixel.max(initial=-1) + 1)
        np.maximum.at(highest, of_pixel, candidates.heights[near])
        others = np.sort(highest)[: -1 - _OTHERS]
        here = channels[which] == channel
        most = others[-1] if len(others) else 0.0
        unlike[here] = most < np.maximum(_LIKE * candidates.heights[which[here]], _NOISE)
    return unlike
