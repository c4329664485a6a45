"""Regions of a score that are no lower than the bulk gets, but larger."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label, sum_labels
from scipy.stats import false_discovery_control

from hyperspy_cvae.detection._depth import DepthScale, Tail, formatted
from hyperspy_cvae.detection._scores import Score
from hyperspy_cvae.detection._threshold import Threshold

_DEEP = 2.0  # deviations
_FEWEST = 2  # to be believed
_TAIL = 0.70, 0.90  # quantiles; of some hundred regions several may be anomalies


def large_regions(
    by_depth: NDArray[np.bool_],
    threshold: Threshold,
    scores: NDArray[np.floating],
    score: Score,
    believed: Callable[[NDArray[np.bool_]], NDArray[np.bool_]],
    false_discovery_rate: float = 0.025,
) -> tuple[NDArray[np.bool_], Threshold]:
    r"""Return the regions that are larger than the bulk's own, if no lower.

    Of many faint anomalies no minimum is significant, for they are the tail by which the bulk's are
    told. But the bulk is hardly so low over so many pixels. Regions are connected pixels of a depth
    :math:`d` of more than 2 (see :func:`find_anomalies`). What tells them is their mass,

    .. math:: M = \sum_{d > 2} (d - 2)

    If its top is a paraboloid, an area grows with the height, and the mass with the square of it.
    Heights have an exponential tail, and so has :math:`\sqrt{M}`. That is told by the regions
    between the 70th and the 90th percentile as that of minima is in :func:`find_anomalies`, and
    regions are significant that Benjamini and Hochberg's procedure calls so among all.

    That is so if scores of the bulk are alike everywhere. Bulk that is less well reproduced in some
    parts of a scan makes large regions, too. So it is asked of them whether they are rare bulk, and
    one alone that would be left may still be: two at least are returned, or none.

    Parameters
    ----------
    by_depth
        Pixels that :func:`find_anomalies` found, ``(rows, columns)``; their regions are not asked.
    threshold
        The threshold of what is left of these. If it is not the automatic one, nothing is returned.
    scores
        Map of the score, of the same shape.
    score
        Which one it is.
    believed
        Returns a mask without the regions that are rare bulk; see :func:`without_rare_bulk`.
    false_discovery_rate
        Largest share of false ones among the significant regions, those found by depth included,
        that is to be expected.

    Returns
    -------
    mask : numpy.ndarray
        True in the regions.
    threshold : Threshold
        The same, with a sentence on them; if nothing was found before, its value is the score below
        which they are.

    References
    ----------
    H. Zhang, T. E. Nichols, T. D. Johnson, NeuroImage 44 (2009) 51.

    Examples
    --------
    >>> from scipy.ndimage import gaussian_filter
    >>> scores = gaussian_filter(np.random.default_rng(0).normal(size=(192, 192)), 1.5)
    >>> scores[20:36, 30:46] -= 0.5
    >>> scores[120:136, 90:106] -= 0.5
    >>> from hyperspy_cvae.detection import find_anomalies
    >>> by_depth = find_anomalies(scores, "combined")
    >>> mask, threshold = large_regions(*by_depth, scores, "combined", lambda mask: mask)
    >>> int(by_depth[0].sum()), int(mask.sum()), int(mask[20:36, 30:46].sum())
    (0, 383, 192)
    """
    nowhere, regions = np.zeros(by_depth.shape, bool), _regions(scores, score)
    if threshold.method != "auto" or regions is None:
        return nowhere, threshold
    p_values = false_discovery_control(regions.p_values)
    significant = p_values <= false_discovery_rate
    significant[regions.labels[by_depth & (regions.labels > 0)] - 1] = False
    count = np.count_nonzero(significant)
    if not count:
        return nowhere, threshold
    large = np.isin(regions.labels, 1 + np.flatnonzero(significant))
    left = np.unique(regions.labels[large & believed(large)])
    at = formatted(regions.limit, float(np.nanmin(scores)), float(np.nanmedian(scores)))
    told = (
        f"{count} {'region' if count == 1 else 'regions'} below {at(regions.limit)} "
        f"{'is' if count == 1 else 'are'} larger than the bulk's own get "
        f"(p = {p_values[significant].min():.2g} among {p_values.size})"
    )
    if left.size < _FEWEST:
        fate = "taken for rare bulk"
        if left.size:
            fate = f"one alone may be rare bulk{', as the others are' if count > 1 else ''}"
        return nowhere, replace(threshold, reason=f"{threshold.reason} {told}, but {fate}.")
    mask = np.isin(regions.labels, left)
    told += "; they are called anomalous."
    if left.size < count:
        told = told.replace("they are", f"{left.size} are") + " The others are rare bulk."
    if not threshold.unimodal:
        words = f"{threshold.label}, and large regions"
        return mask, replace(threshold, reason=f"{threshold.reason} {told}", label=words)
    lower = f"No score is lower than the bulk's own get (p = {threshold.p_value:.2g})."
    if by_depth.any():
        lower = "What is lower than the bulk's own scores get is rare bulk."
    reason = f"{lower} But {told} Bulk that the reconstruction does not know may be among them."
    p_value, words = float(p_values[left - 1].min()), f"large regions below {at(regions.limit)}"
    return mask, Threshold(regions.limit, "auto", False, p_value, reason, words)


def extent_p_values(scores: NDArray[np.floating], score: Score) -> NDArray[np.float64]:
    """Return how probable it is that the bulk has a region as large anywhere in such a scan.

    As in :func:`large_regions`, times the number of regions (Bonferroni). 1 where there is
    none, NaN where a score is not finite, and everywhere if regions are too few.

    Parameters
    ----------
    scores
        Map of the score, ``(rows, columns)``, higher for more normal pixels.
    score
        Which one it is.
    """
    found = np.full(np.shape(scores), np.nan)
    if regions := _regions(scores, score):
        of_regions = np.minimum(regions.p_values.size * regions.p_values, 1)
        finite = np.isfinite(scores)
        found[finite] = np.append(1.0, of_regions)[regions.labels[finite]]
    return found


class _Regions(NamedTuple):
    labels: NDArray[np.integer]
    p_values: NDArray[np.float64]
    limit: float


def _regions(scores: NDArray[np.floating], score: Score) -> _Regions | None:
    """Return the connected regions deeper than 2; None if too few tell what the bulk's are like."""
    scores = np.asarray(scores, dtype=np.float64)
    finite = np.isfinite(scores)
    if not finite.any():
        return None
    scale = DepthScale.of(scores[finite], score)
    if scale.deviation == 0:
        return None
    excess = scale.depth(scores) - _DEEP
    labels, count = label(excess > 0, np.ones((3, 3)))
    sizes = np.sqrt(sum_labels(excess, labels, np.arange(1, count + 1)))
    tail = Tail.of(sizes, _TAIL)
    return _Regions(labels, tail.p_values(sizes), scale.score_at(_DEEP)) if tail else None
