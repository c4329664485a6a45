"""What is anomalous in a scan, by all that the automatic threshold asks."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube
from hyperspy_cvae.detection._automatic import bulk_p_values, find_anomalies
from hyperspy_cvae.detection._extent import large_regions
from hyperspy_cvae.detection._rare_bulk import without_rare_bulk
from hyperspy_cvae.detection._scores import Score
from hyperspy_cvae.detection._threshold import Threshold


def find_anomalous_regions(
    scores: NDArray[np.floating],
    score: Score,
    cube: Cube,
    expected: Cube,
    channels: NDArray[np.bool_],
    judged: NDArray[np.bool_],
    turned: Callable[[], Cube] | None = None,
) -> tuple[NDArray[np.bool_], Threshold]:
    """Return the regions that are lower than the bulk gets, or larger, and no rare bulk.

    Those that are lower are found by :func:`find_anomalies`, those that are larger by
    :func:`large_regions`, and what is rare bulk is left out by :func:`without_rare_bulk`.
    Where no network can be asked, to be large is not enough.

    Parameters
    ----------
    scores
        Map of the score, ``(rows, columns)``, higher for more normal pixels.
    score
        Which one it is.
    cube
        Counts ``(rows, columns, energy)``, finite, in all energies there are.
    expected
        Their reconstruction in the energies that were compared.
    channels
        Which ones were compared, boolean ``(energy,)``.
    judged
        Pixels that were judged, ``(rows, columns)``.
    turned
        Makes the reconstruction of the scan turned by half a turn, turned back, in the same
        energies; called at most once, if it is needed. None if no network makes it.

    Returns
    -------
    mask : numpy.ndarray
        True in the regions.
    threshold : Threshold
        Which says how they were found.
    """
    by_depth, threshold = find_anomalies(scores, score)
    p_values = bulk_p_values(scores, score)
    once = turned and cache(turned)

    def left(asked: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Threshold]:
        compared = cube, expected, channels, judged
        return without_rare_bulk(asked, threshold, p_values, *compared, once)

    mask, told = left(by_depth)
    if turned is None:
        return mask, told
    large, told = large_regions(by_depth, told, scores, score, lambda each: left(mask | each)[0])
    return mask | large, told
