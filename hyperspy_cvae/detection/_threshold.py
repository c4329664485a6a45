"""Thresholds that part anomalous pixels from the bulk, and the case where none should."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from skimage.filters import threshold_otsu

_BINS = 256
_FEWEST_SCORES = 30
# More than a quarter is a second phase, thickness or dose; that is no exception from a bulk.
_LARGEST_SHARE = 0.25
# With many pixels even a shallow dent is significant; a valley is at least half empty.
_FULLEST_VALLEY = 0.5


@dataclass(frozen=True)
class Threshold:
    """A limit on a score below which a pixel is anomalous.

    Parameters
    ----------
    value
        The limit, in units of the score. NaN where no score is finite.
    method
        How it was found: ``"otsu"`` or ``"fixed"``.
    unimodal
        Whether the scores show no separate minority below ``value``. If so, no pixel is
        anomalous, whatever its score.
    p_value
        Probability of so empty a valley at the threshold if there were none; see
        :func:`otsu_threshold`. NaN where that was not tested.
    reason
        A sentence that says what was found.
    """

    value: float
    method: str
    unimodal: bool
    p_value: float
    reason: str


def otsu_threshold(score: NDArray[np.floating], alpha: float = 0.05) -> Threshold:
    r"""Return Otsu's threshold and whether the scores support it.

    Otsu's threshold always parts the scores in two, also those of a clean specimen. Here it counts
    only if it lies in a valley of their histogram, below which there is a minority.

    Let :math:`m_0` and :math:`m_1` be the mean scores of the two classes. Around
    :math:`(m_0 + m_1) / 2`, where Otsu's threshold lies or could as well lie, and around the
    median of the lower class, scores are counted in windows of the width
    :math:`(m_1 - m_0) / 4`. If the scores have one mode and it belongs to the bulk, their density
    rises towards it, so that the first count :math:`V` is expected to be at least the second,
    :math:`M`. The p-value is the probability of a count of :math:`V` or less were both equally
    likely, :math:`P(k \le V)` for :math:`k \sim \mathrm{Binomial}(V + M, 1/2)`. It takes scores
    for independent; smoothed maps have fewer independent scores than pixels.

    Parameters
    ----------
    score
        Scores of any shape, higher for more normal pixels; those that are not finite are left out.
    alpha
        Largest p-value with which the threshold is accepted. In addition the valley has to be at
        least half empty, :math:`V \le M / 2`, and the lower class to hold at most a quarter of
        the scores.

    Returns
    -------
    Threshold
        With Otsu's threshold as ``value``, whether accepted or not.

    References
    ----------
    N. Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62. On a histogram of 256 bins.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bulk, spots = rng.normal(0.92, 0.02, 980), rng.normal(0.55, 0.05, 20)
    >>> otsu_threshold(bulk).unimodal
    True
    >>> threshold = otsu_threshold(np.append(bulk, spots))
    >>> threshold.unimodal, int(anomalous(bulk, threshold).sum())
    (False, 0)
    """
    if not 0 < alpha < 1:
        raise ValueError(
            f"alpha is {alpha}, but it is a probability between 0 and 1: use 0.05, or less to "
            "accept fewer thresholds."
        )
    finite = np.asarray(score, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return _refused(np.nan, np.nan, "no score is finite")
    # Histograms need bins wider than the spacing of floating-point numbers.
    if np.ptp(finite) <= 4 * _BINS * np.spacing(np.abs(finite).max()):
        return _refused(float(finite[0]), np.nan, f"all scores are equal, {finite[0]:.3g}")
    value = float(threshold_otsu(finite, nbins=_BINS))
    if finite.size < _FEWEST_SCORES:
        finding = f"{finite.size} scores are too few to tell one mode from two"
        return _refused(value, np.nan, f"{finding} (at least {_FEWEST_SCORES})")

    lower, upper = finite[finite < value], finite[finite >= value]
    width = (upper.mean() - lower.mean()) / 4
    valley = _count(finite, (lower.mean() + upper.mean()) / 2, width)
    mode = _count(finite, np.median(lower), width)
    p_value = float(binom.cdf(valley, valley + mode, 0.5))
    share = lower.size / finite.size
    counts = (
        f"{valley} scores around it against {mode} around {np.median(lower):.3g}, the median of "
        f"those below it (p = {p_value:.2g})"
    )
    if p_value > alpha or valley > _FULLEST_VALLEY * mode:
        finding = f"Otsu's threshold {value:.3g} would cut the bulk and lies in no valley: {counts}"
        return _refused(value, p_value, finding)
    if share > _LARGEST_SHARE:
        finding = (
            f"{share:.0%} of the scores lie below Otsu's threshold {value:.3g}, too many to be "
            f"exceptions (at most {_LARGEST_SHARE:.0%})"
        )
        return _refused(value, p_value, finding)
    reason = f"Otsu's threshold {value:.3g} lies in a valley below {1 - share:.1%} of the scores: "
    return Threshold(value, "otsu", False, p_value, reason + counts + ".")


def fixed_threshold(value: float) -> Threshold:
    """Return a threshold at a number of your own.

    Examples
    --------
    >>> anomalous(np.array([0.5, 0.9, np.nan]), fixed_threshold(0.8))
    array([ True, False, False])
    """
    if not np.isfinite(value):
        raise ValueError(f"value is {value}, but a threshold is a finite number: give one.")
    reason = f"The threshold {value:.3g} was given."
    return Threshold(float(value), "fixed", False, np.nan, reason)


def anomalous(score: NDArray[np.floating], threshold: Threshold) -> NDArray[np.bool_]:
    """Return where scores lie below the threshold: nowhere if it is refused, never at a NaN."""
    score = np.asarray(score)
    if threshold.unimodal:
        return np.zeros(score.shape, bool)
    return score < threshold.value


def _count(scores: NDArray[np.float64], centre: float, width: float) -> int:
    return int(np.count_nonzero(np.abs(scores - centre) <= width / 2))


def _refused(value: float, p_value: float, finding: str) -> Threshold:
    reason = f"{finding[0].upper()}{finding[1:]}, so nothing is called anomalous."
    return Threshold(value, "otsu", True, p_value, reason)
