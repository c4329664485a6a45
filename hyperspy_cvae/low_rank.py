"""Bulk from a few components, of which what is rare is no part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.isolation import (
    ABOVE_NOISE,
    flipped,
    isolation,
    leading,
    strongest,
    without_isolated,
)
from hyperspy_cvae.robust import QUANTILE

MOST_COMPONENTS = 10
_SPECTRA_PER_COMPONENT = 8
_ROUNDS = 3
_FAR = 6.0  # upper deviations of what is left over
_DEAD = 1e-3  # of the median channel
_LEAST = 0.05  # of the mean spectrum is expected at least
_ROUNDING = 1e-6  # of the first singular value
_FAINTEST = 1e-3
_TINY = 1e-9


@dataclass(frozen=True)
class LowRankBulk:
    """Components of the bulk of some spectra.

    Attributes
    ----------
    components
        Orthonormal in scaled counts, ``(components, energy)``.
    mean
        Mean spectrum of those learnt from, ``(energy,)``; 0 in dead channels.
    brightness
        Mean sum of these.
    usual
        Spectra that were learnt from, boolean.
    """

    components: NDArray[np.float32]
    mean: NDArray[np.float64]
    brightness: float
    usual: NDArray[np.bool_]

    def expected(self, spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what spectra ``(spectra, energy)`` would be if they were bulk."""
        channel, row, total = _scales(spectra, self.mean, self.brightness)
        result = (self.scores(spectra) @ self.components).astype(np.float32, copy=False)
        result *= channel[0]
        result *= row
        least = (_LEAST * total / self.brightness)[:, np.newaxis] * self.mean
        np.maximum(result, least.astype(np.float32), out=result)
        dead = self.mean == 0
        result[:, dead] = spectra[:, dead]
        return result

    def scores(self, spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how much spectra hold of each component, ``(spectra, components)``."""
        channel, row, _ = _scales(spectra, self.mean, self.brightness)
        scaled = spectra * channel[1] / row
        return np.asarray(scaled @ self.components.T, np.float32)


def low_rank_bulk(
    spectra: NDArray[np.float32],
    used: NDArray[np.bool_],
    noise: Sequence[NDArray[np.float32]] | None = None,
) -> LowRankBulk:
    """Return the components of the bulk.

    Counts are divided by the roots of the mean spectrum and of the brightness of each spectrum, so
    that their noise is alike everywhere. As many components are kept, up to ten, as have singular
    values above those of noise. Then the spectra are left out that are isolated in their components
    (:func:`hyperspy_cvae.isolation.isolation`), or of which far more is left over than of most, and
    components are found again, up to three times.

    Parameters
    ----------
    spectra
        Counts ``(spectra, energy)``, finite and not negative.
    used
        Spectra to learn from, boolean ``(spectra,)``.
    noise
        Some realisations of the noise of these spectra, of the same shape. By default what is left
        over with the signs of blocks of channels flipped.

    Examples
    --------
    >>> energy = np.linspace(0, 1, 60)
    >>> mixed = np.random.default_rng(0).random((200, 1))
    >>> bulk = 100 * (1 + mixed * energy + (1 - mixed) * np.square(energy))
    >>> counts = np.random.default_rng(1).poisson(bulk).astype(np.float32)
    >>> found = low_rank_bulk(counts, np.ones(200, bool))
    >>> len(found.components), bool(np.abs(found.expected(counts) / bulk - 1).max() < 0.1)
    (2, True)
    """
    most = max(1, min(MOST_COMPONENTS, int(used.sum()) // _SPECTRA_PER_COMPONENT))
    mean = np.maximum(spectra[used].mean(0, dtype=np.float64), 0)
    alive = mean > _DEAD * np.median(mean[mean > 0]) if (mean > 0).any() else mean > 0
    mean = np.where(alive, mean, 0)
    brightness = max(float(spectra[used].sum(1, dtype=np.float64).mean()), _TINY)
    channel, row, _ = _scales(spectra, mean, brightness)
    scaled = spectra * channel[1] / row
    squares = np.einsum("ij,ij->i", scaled, scaled, dtype=np.float64)
    by_noise = None
    if noise is not None:
        by_noise = strongest([each * channel[1] / row for each in noise], used) / used.sum()
    usual = used
    for turn in range(_ROUNDS):
        variances, components = leading(scaled[usual], most, exact=True)
        components = components[: _rank(variances, components, scaled[usual], by_noise)]
        if turn == _ROUNDS - 1:
            break
        scores = scaled @ components.T
        left_over = np.cbrt(np.maximum(squares - np.square(scores).sum(1), 0))
        middle = np.median(left_over[usual])
        spread = max(np.quantile(left_over[usual], QUANTILE) - middle, _TINY)
        far = (left_over - middle) / spread / _FAR
        if len(components) > 1:
            first = np.maximum(np.abs(scores[:, :1]), _TINY)
            alone = isolation(scores[:, 1:] / first, used, np.abs(scores[:, 0]))
            far = np.maximum(far, alone)
        left = usual & without_isolated(used, far)
        if (left == usual).all():
            break
        usual = left
    return LowRankBulk(components, mean, brightness, usual)


def _rank(
    variances: NDArray[np.float64],
    components: NDArray[np.float32],
    scaled: NDArray[np.float32],
    by_noise: float | None,
) -> int:
    """Return how many components are larger than noise makes them."""
    most = len(variances)
    floor = _ROUNDING**2 * variances[0]
    if by_noise is not None:
        least = max(ABOVE_NOISE**2 * by_noise * len(scaled), floor)
        return max(1, int((variances > least).sum()))
    rank = 1
    while rank < most:
        some = components[:rank]
        left_over = flipped((scaled - (scaled @ some.T) @ some).astype(np.float32, copy=False))
        least = max(ABOVE_NOISE**2 * leading(left_over, 1)[0][0], floor)
        above = int((variances > least).sum())
        if above <= rank:
            break
        rank = above
    return rank


class _Scales(NamedTuple):
    channel: tuple[NDArray[np.float32], NDArray[np.float32]]
    """Roots of the mean spectrum, and what to multiply counts by."""
    row: NDArray[np.float32]
    """Roots of the brightness, ``(spectra, 1)``."""
    total: NDArray[np.float64]


def _scales(spectra: NDArray[np.float32], mean: NDArray[np.float64], brightness: float) -> _Scales:
    total = np.maximum(spectra.sum(1, dtype=np.float64), _TINY)
    root = np.sqrt(np.where(mean > 0, mean, 1))
    channel = root.astype(np.float32), ((mean > 0) / root).astype(np.float32)
    row = np.sqrt(np.maximum(total / brightness, _FAINTEST)).astype(np.float32)
    return _Scales(channel, row[:, np.newaxis], total)
