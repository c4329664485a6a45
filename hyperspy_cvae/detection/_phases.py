"""Phases of the bulk: large parts of a scan with clearly different spectra."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from skimage.filters import threshold_otsu

from hyperspy_cvae.blocks import Cube, blockwise, spectra_at
from hyperspy_cvae.detection._find import SECOND_PHASE
from hyperspy_cvae.low_rank import LowRankBulk, low_rank_bulk
from hyperspy_cvae.sampling import some_of
from hyperspy_cvae.shards import binned

_ENOUGH_SPECTRA = 4000  # to know the components
_FEWEST = 10  # pixels
_AXES, _DEPTH, _BINS = 3, 3, 128
_EMPTIEST, _CHANCE = 0.5, 1e-3  # of a valley, over the smaller of both sides


def find_phases(
    cube: Cube, judged: NDArray[np.bool_], channels: NDArray[np.bool_], width: int
) -> NDArray[np.intp]:
    r"""Return the phase of every pixel, ``(rows, columns)``: 1 for the largest, 0 if not judged.

    Be the scores of the spectra those of as many components as rise above the noise, over the first
    (:func:`hyperspy_cvae.low_rank.low_rank_bulk`). Along each of their three main directions Otsu's
    threshold splits them into two. These are two phases if there is a valley between: if the middle
    half of the distance of their medians holds less than half as many pixels as a quarter of it to
    either side of a median does, and by chance with a probability below .001. Each is split again,
    if it can be. A phase has at least 4 % of the pixels. A drift or a wedge has no valley.

    Parameters
    ----------
    cube
        Counts ``(rows, columns, energy)``, finite.
    judged
        Pixels that count, ``(rows, columns)``.
    channels
        Channels that count, ``(energy,)``.
    width
        So many channels are summed up.

    Examples
    --------
    >>> bulk = np.full((20, 20, 60), 100.0)
    >>> bulk[:, 14:, 30:] *= 2
    >>> counts = np.random.default_rng(0).poisson(bulk).astype(np.float32)
    >>> phases = find_phases(counts, np.ones((20, 20), bool), np.ones(60, bool), 1)
    >>> np.bincount(phases.ravel())[1:], int(phases[0, 19])
    (array([280, 120]), 2)
    """

    def summed(spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.maximum(binned(spectra[..., channels], width), 0)

    sample = summed(spectra_at(cube, some_of(judged, _ENOUGH_SPECTRA)))
    phases = judged.astype(np.intp)
    if len(sample) < 2 * _FEWEST:
        return phases
    bulk = low_rank_bulk(sample, np.ones(len(sample), bool))
    number = len(bulk.components) - 1
    if number < 1:
        return phases

    def places(block: NDArray[np.float32]) -> NDArray[np.float32]:
        flat = summed(block).reshape(-1, sample.shape[1])
        return _places(bulk, flat).reshape(*block.shape[:2], number)

    scores = blockwise(places, cube, channels=number).compute()[judged]
    parts = _split(scores, max(_FEWEST, SECOND_PHASE * len(scores)), _DEPTH)
    parts.sort(key=lambda part: -part.sum())
    found = np.ones(len(scores), np.intp)
    for each, part in enumerate(parts, 1):
        found[part] = each
    phases[judged] = found
    return phases


def _places(bulk: LowRankBulk, spectra: NDArray[np.float32]) -> NDArray[np.float32]:
    scores = bulk.scores(spectra)
    first = np.maximum(np.abs(scores[:, :1]), np.finfo(np.float32).tiny)
    return np.asarray(scores[:, 1:] / first)


def _split(scores: NDArray[np.float32], fewest: float, depth: int) -> list[NDArray[np.bool_]]:
    """Return the phases of spectra, each as the boolean of its spectra."""
    everything = np.ones(len(scores), bool)
    lower = _lower(scores, fewest) if depth else None
    if lower is None:
        return [everything]
    parts = []
    for side in (lower, ~lower):
        for part in _split(scores[side], fewest, depth - 1):
            whole = np.zeros(len(scores), bool)
            whole[np.flatnonzero(side)[part]] = True
            parts.append(whole)
    return parts


def _lower(scores: NDArray[np.float32], fewest: float) -> NDArray[np.bool_] | None:
    """Return which spectra are on one side of the emptiest valley, or None without one."""
    if len(scores) < 2 * fewest:
        return None
    centred = scores - scores.mean(0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:_AXES]
    best, emptiest = None, _EMPTIEST
    for along in (centred @ directions.T).T:
        if not np.ptp(along) > 0:
            continue
        lower = along < threshold_otsu(along, nbins=_BINS)
        if min(lower.sum(), (~lower).sum()) < fewest:
            continue
        ends = np.median(along[lower]), np.median(along[~lower])
        quarter = (ends[1] - ends[0]) / 4
        between = int(((along > ends[0] + quarter) & (along < ends[1] - quarter)).sum())
        beside = min(int((np.abs(along - end) <= quarter).sum()) for end in ends)
        chance = binom.cdf(between, between + beside, 0.5)
        if chance < _CHANCE and between < emptiest * beside:
            best, emptiest = lower, between / beside
    return best
