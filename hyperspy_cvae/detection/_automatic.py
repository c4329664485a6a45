"""Anomalies whose number nobody has to know: significant minima of a score, and their regions."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label, maximum_filter, minimum_filter
from scipy.stats import false_discovery_control, norm

from hyperspy_cvae.detection._depth import DepthScale, Tail, formatted
from hyperspy_cvae.detection._scores import Score, check_score
from hyperspy_cvae.detection._threshold import Threshold, anomalous, otsu_threshold

# The bulk's tail is known from minima between these quantiles: above, they hardly tell of it, and
# of more than a twentieth the anomalies themselves may be part.
_TAIL = 0.80, 0.95
_FAR = 5.0  # deviations
_REACH = 3  # pixels over which smoothing carries an anomaly
# Where the residual at the edge is half of that inside, the cube root of its square is 0.63 of it,
# and the median has a cube root of about 8 deviations. A little less, for the deepest of a few
# noisy pixels is deeper than their mean; but no less than 0.4 of the depth.
_EDGE, _MEDIAN, _LEAST_EDGE = 0.6, 8.0, 0.4


def find_anomalies(
    scores: NDArray[np.floating], score: Score, false_discovery_rate: float = 0.05
) -> tuple[NDArray[np.bool_], Threshold]:
    r"""Return where scores are lower than those of the bulk get, and the threshold that says so.

    Smoothing makes neighbouring scores alike, so not pixels are tested but minima of the map, which
    are nearly independent (topological inference). Be :math:`d` the depth of a minimum, in robust
    standard deviations below the median of the scan; for scores that grow with the square of a
    residual, of the cube root of them, which makes depths of noise nearly normal. Depths above
    their 80th percentile :math:`d_0` follow an exponential distribution. Its scale :math:`b` is
    the maximum likelihood's from the :math:`k` minima below the 95th percentile, of which
    anomalies are no part; the deeper ones count as censored:

    .. math::

       b = \frac{1}{k} \Big(\sum_{i=1}^{k} (d_i - d_0) + m (d_{95} - d_0)\Big), \qquad
       p(d) = 0.2 \, P\big(F_{2, 2k} > (d - d_0) / b\big)

    for :math:`m` censored ones; :math:`F` allows for :math:`b` being an estimate. Minima are
    significant that Benjamini and Hochberg's procedure calls so among all. A region is followed
    from them as far as scores are lower than 95 % of the bulk's minima, and neither :math:`d` is
    less than 0.4 nor :math:`d + 8` less than 0.6 times that of the deepest pixel within 3: farther
    out is the rim that smoothing makes.

    If no minimum is significant, anomalies may be so many that they are the tail themselves: then
    :func:`otsu_threshold` is taken if it is accepted, at half the rate. If it is not, and more than
    5 % of the scores are 5 deviations deep, the reason says so: that is a second phase.

    Parameters
    ----------
    scores
        Map of the score, ``(rows, columns)``, higher for more normal pixels; those that are not
        finite belong nowhere.
    score
        Which one it is.
    false_discovery_rate
        Largest share of false ones among the significant minima that is to be expected. If nothing
        is anomalous, it is the probability that something is found. It holds as far as the bulk's
        tail is exponential: a region of bulk that the reconstruction does not know is found too.

    Returns
    -------
    mask : numpy.ndarray
        True in the regions.
    threshold : Threshold
        Its value is the score a minimum has to reach.

    References
    ----------
    J. R. Chumbley, K. J. Friston, NeuroImage 44 (2009) 62; Y. Benjamini, Y. Hochberg, J. R. Stat.
    Soc. B 57 (1995) 289.

    Examples
    --------
    >>> from scipy.ndimage import gaussian_filter
    >>> scores = 10 * gaussian_filter(np.random.default_rng(0).normal(size=(64, 64)), 1.0)
    >>> int(find_anomalies(scores, "combined")[0].sum())
    0
    >>> scores[20:24, 30:34] -= 30
    >>> mask, threshold = find_anomalies(scores, "combined")
    >>> int(mask.sum()), bool(mask[20:24, 30:34].all())
    (16, True)
    """
    if not 0 < false_discovery_rate < 1:
        raise ValueError(
            f"false_discovery_rate is {false_discovery_rate}, but it is a share between 0 and 1: "
            "use 0.05, or less to find only what is surer."
        )
    check_score(score)
    scores = np.asarray(scores, dtype=np.float64)
    nowhere = np.zeros(scores.shape, bool)
    finite = np.isfinite(scores)
    if not finite.any():
        return nowhere, _nothing(np.nan, np.nan, "No score is finite", "no pixel judged")
    scale = DepthScale.of(scores[finite], score)
    if scale.deviation == 0:
        value = float(np.median(scores[finite]))
        finding = f"Most scores are equal, {value:.3g}"
        return nowhere, _nothing(np.nan, np.nan, finding, "pixels are equal")
    depth = scale.depth(scores)
    minima = _minima(depth)
    bulk = Tail.of(depth[minima], _TAIL)
    if bulk is None:
        finding = f"{minima.sum()} minima are too few to tell what the bulk's are like"
        return nowhere, _nothing(np.nan, np.nan, finding, "too few pixels")
    p_values = false_discovery_control(bulk.p_values(depth[minima]))
    significant = nowhere.copy()
    significant[minima] = p_values <= false_discovery_rate
    deepest, lowest = float(p_values.min()), scores[finite].min()
    among = f"(p = {deepest:.2g} among {minima.sum()} minima)"
    if not significant.any():
        # More than a twentieth of the scan has hidden in the tail; that makes a valley.
        otsu = otsu_threshold(scores, alpha=false_discovery_rate / 2)
        if not otsu.unimodal:
            return anomalous(scores, otsu), otsu
        value = scale.score_at(bulk.value_at(false_discovery_rate / minima.sum()))
        at = formatted(value, lowest, float(np.median(scores[finite])))
        finding = f"The lowest score {at(lowest)} is as low as the bulk's own get {among}"
        way_out = f"; a single place would have to go below {at(value)}"
        if (share := np.mean(depth[finite] > _FAR)) > 1 - _TAIL[1]:
            way_out += (
                f". But {share:.0%} of the pixels are below {at(scale.score_at(_FAR))}, as hardly "
                "any would be of one bulk, and too many for exceptions: look at the map, and set a "
                "threshold there if they are what you look for"
            )
        return nowhere, _nothing(value, deepest, finding, f"lowest {at(lowest)}", way_out)
    value = scale.score_at(bulk.value_at(false_discovery_rate * significant.sum() / minima.sum()))
    at = formatted(value, lowest, float(np.median(scores[finite])))
    mask = _followed(depth, significant, bulk.value_at(1 - _TAIL[1]))
    regions = label(mask, np.ones((3, 3)))[1]
    reason = (
        f"Scores reach {at(lowest)} where the bulk's own do not {among}; regions that go below "
        f"{at(value)} are anomalous: {regions}, of which {false_discovery_rate:.0%} at most are "
        "expected to be chance. Bulk that the reconstruction does not know may be among them."
    )
    found = Threshold(value, "auto", False, deepest, reason, f"automatic threshold {at(value)}")
    return mask, found


def bulk_p_values(scores: NDArray[np.floating], score: Score) -> NDArray[np.float64]:
    """Return how probable it is that the bulk gets as low anywhere in such a scan.

    As in :func:`find_anomalies`, times the number of minima (Bonferroni). NaN where a score is not
    finite, and everywhere if the bulk's minima are too few.

    Parameters
    ----------
    scores
        Map of the score, ``(rows, columns)``, higher for more normal pixels.
    score
        Which one it is.
    """
    scores = np.asarray(scores, dtype=np.float64)
    p_values = np.full(scores.shape, np.nan)
    finite = np.isfinite(scores)
    if finite.any() and (scale := DepthScale.of(scores[finite], score)).deviation:
        depth = scale.depth(scores)
        minima = _minima(depth)
        if bulk := Tail.of(depth[minima], _TAIL):
            p_values[finite] = np.minimum(minima.sum() * bulk.p_values(depth[finite]), 1)
    return p_values


def bulk_histogram(
    scores: NDArray[np.floating], score: Score, edges: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return how many scores of the bulk are expected in the bins of a histogram.

    In the terms of :func:`find_anomalies` depths of the bulk are nearly normal numbers: as many are
    expected in a bin as of all scores if they had the median and the robust standard deviation of
    these.

    Parameters
    ----------
    scores
        Scores of any shape; those that are not finite are left out.
    score
        Which one it is.
    edges
        Of the bins, rising, ``(bins + 1,)``.

    Returns
    -------
    numpy.ndarray
        ``(bins,)``; none if most scores are equal.

    Examples
    --------
    >>> scores = np.random.default_rng(0).normal(size=1000)
    >>> bulk_histogram(scores, "combined", np.array([-9, np.median(scores), 9])).round()
    array([500., 500.])
    """
    finite = np.asarray(scores, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if not finite.size or not (scale := DepthScale.of(finite, score)).deviation:
        return np.zeros(len(edges) - 1)
    return finite.size * np.diff(norm.sf(scale.depth(edges)))


def _minima(depth: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the minima of the score; a plateau, as vacuum makes it, has none inside."""
    deepest = depth == maximum_filter(depth, 3)
    return np.isfinite(depth) & deepest & (depth > minimum_filter(depth, 3))


def _followed(
    depth: NDArray[np.float64], significant: NDArray[np.bool_], edge: float
) -> NDArray[np.bool_]:
    """Return the regions around significant minima, up to a depth and without their rims."""
    near = np.hypot(*np.indices((2 * _REACH + 1,) * 2) - _REACH) < _REACH + 0.5
    deep = depth >= np.minimum(edge, depth[significant].min())
    deepest = maximum_filter(depth, footprint=near)
    deep &= depth >= np.maximum(_LEAST_EDGE * deepest, _EDGE * (deepest + _MEDIAN) - _MEDIAN)
    regions, _ = label(deep, np.ones((3, 3)))
    return deep & np.isin(regions, regions[significant & deep])


def _nothing(
    value: float, p_value: float, finding: str, label: str, way_out: str = ""
) -> Threshold:
    reason = f"{finding}, so nothing is called anomalous{way_out}."
    return Threshold(value, "auto", True, p_value, reason, f"no threshold: {label}")
