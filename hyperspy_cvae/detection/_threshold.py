"""Thresholds that part anomalous pixels from the bulk, and the case where none should."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

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
# So many more of the lower class, and one, may lie between a window and the threshold beside it.
_LARGEST_STRAY = 0.02
_STEPS_PER_WINDOW = 8
# Windows by the part of the distance between the classes: wide ones for a few pixels, narrow ones
# for a narrow valley between many; and how alpha is shared among them.
_PARTS = {4: 0.9, 8: 0.1}


@dataclass(frozen=True)
class Threshold:
    """A limit on a score and how it was found.

    Parameters
    ----------
    value
        The limit, in units of the score: below it a pixel is anomalous. NaN where no score is
        finite.
    method
        How it was found: ``"auto"``, ``"otsu"`` or ``"fixed"``.
    unimodal
        Whether the scores show no separate minority below ``value``. If so, no pixel is
        anomalous, whatever its score.
    p_value
        Probability of so low a score (:func:`find_anomalies`) or so empty a valley
        (:func:`otsu_threshold`) if there were none. NaN where that was not tested.
    reason
        A sentence that says what was found.
    label
        The same in the few words that fit into a figure.
    """

    value: float
    method: str
    unimodal: bool
    p_value: float
    reason: str
    label: str


Limit = Literal["auto", "otsu"] | Threshold
"""What a threshold is asked for by: how it is to be found, or where it is."""


def otsu_threshold(score: NDArray[np.floating], alpha: float = 0.05) -> Threshold:
    r"""Return Otsu's threshold and whether the scores support it.

    Otsu's threshold always parts the scores in two, also those of a clean specimen. Here it counts
    only if it lies in a valley of their histogram, below which there is a minority.

    Let :math:`m_0` and :math:`m_1` be the mean scores of the two classes. Scores are counted in
    windows of the width :math:`(m_1 - m_0) / 4`, and of half that, of which a count :math:`V` is
    compared with the largest count :math:`M` of a window below. If the scores have one mode and
    it belongs to the bulk, their density rises towards it, so that :math:`V` is expected to be at
    least :math:`M`; the probability of a count of :math:`V` or less were both equally likely is
    :math:`P(i \le V)` for :math:`i \sim \mathrm{Binomial}(V + M, 1/2)`. The p-value is that times
    the number of windows that fit between the lowest score and :math:`m_1` (Bonferroni; wide
    windows have 9/10 of :math:`\alpha`, narrow ones the rest). It takes scores for independent;
    smoothed maps have fewer independent scores than pixels.

    Parameters
    ----------
    score
        Scores of any shape, higher for more normal pixels; those that are not finite are left out.
    alpha
        Largest p-value with which the threshold is accepted: that of the most significant of the
        windows it lies in, or beside with at most one score and a fiftieth of the lower class
        between. In addition this window has to be at least half empty, :math:`V \le M / 2`, and
        the lower class may hold at most a quarter of the scores.

    Returns
    -------
    Threshold
        With Otsu's threshold as ``value``, whether accepted or not. Where there is a valley
        elsewhere, ``reason`` says where, so that :func:`fixed_threshold` may be tried there.

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
    finite = np.sort(finite[np.isfinite(finite)])
    if finite.size == 0:
        return _refused(np.nan, np.nan, "no score is finite", "no pixel judged")
    # Histograms need bins wider than the spacing of floating-point numbers.
    if np.ptp(finite) <= 4 * _BINS * np.spacing(np.abs(finite).max()):
        finding = f"all scores are equal, {finite[-1]:.3g}"
        return _refused(float(finite[-1]), np.nan, finding, "all pixels are equal")
    value = float(threshold_otsu(finite, nbins=_BINS))
    if finite.size < _FEWEST_SCORES:
        finding = f"{finite.size} scores are too few to tell one mode from two"
        finding += f" (at least {_FEWEST_SCORES})"
        return _refused(value, np.nan, finding, "too few pixels")

    def at(score: float) -> str:
        """Write a score with as many decimals as tell the two classes apart."""
        return f"{score:.{decimals}f}"

    lower = np.searchsorted(finite, value)
    top = float(finite[lower:].mean())
    distance = top - float(finite[:lower].mean())
    decimals = max(0, 2 - int(np.floor(np.log10(distance))))
    windows = _windows(finite, int(lower), top, distance)
    valley = (windows.p_values <= alpha) & (windows.counts <= _FULLEST_VALLEY * windows.mode_counts)
    here = valley & windows.here
    shown = next(each for each in (here, valley, np.full(valley.shape, True)) if each.any())
    best = np.argmin(np.where(shown, windows.p_values, np.inf))
    centre, p_value = float(windows.centres[best]), float(windows.p_values[best])
    counts = (
        f"{windows.counts[best]} scores around {at(centre)} against {windows.mode_counts[best]} "
        f"around {at(windows.modes[best])} (p = {p_value:.2g})"
    )
    if not valley.any():
        finding = f"Otsu's threshold {at(value)} would cut the bulk, and there is no valley: "
        return _refused(value, p_value, finding + counts, "no valley")
    if not here.any():
        cut = "bulk" if value > centre else "minority"
        finding = (
            f"Otsu's threshold {at(value)} would cut the {cut}, and the valley lies elsewhere: "
        )
        label = f"the valley is at {at(centre)}"
        way_out = f"; threshold={at(centre)} would cut there"
        return _refused(value, p_value, finding + counts, label, way_out)
    share = lower / finite.size
    if share > _LARGEST_SHARE:
        finding = (
            f"{share:.0%} of the scores lie below Otsu's threshold {at(value)}, too many to be "
            f"exceptions (at most {_LARGEST_SHARE:.0%})"
        )
        return _refused(value, p_value, finding, "too many pixels below")
    reason = f"Otsu's threshold {at(value)} lies in a valley below {1 - share:.1%} of the scores: "
    label = f"Otsu's threshold {at(value)}"
    return Threshold(value, "otsu", False, p_value, reason + counts + ".", label)


def fixed_threshold(value: float) -> Threshold:
    """Return a threshold at a number of your own.

    Examples
    --------
    >>> anomalous(np.array([0.5, 0.9, np.nan]), fixed_threshold(0.8))
    array([ True, False, False])
    """
    if not np.isfinite(value):
        raise ValueError(f"value is {value}, but a threshold is a finite number: give one.")
    reason = f"The threshold {value:.6g} was given."
    return Threshold(float(value), "fixed", False, np.nan, reason, f"threshold {value:.6g}")


def as_limit(threshold: object) -> Limit:
    """Return what was given for a threshold as what is judged by.

    Raises
    ------
    ValueError
        If it is neither ``"auto"``, ``"otsu"`` nor a finite number.

    Examples
    --------
    >>> as_limit("auto"), as_limit(0.8).value
    ('auto', 0.8)
    """
    if threshold == "auto" or threshold == "otsu":
        return threshold
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number):
        raise ValueError(f"threshold is {threshold!r}: use 'auto', 'otsu', or a limit such as 0.8.")
    return fixed_threshold(float(threshold))


def anomalous(score: NDArray[np.floating], threshold: Threshold) -> NDArray[np.bool_]:
    """Return where scores lie below the threshold: nowhere if it is refused, never at a NaN."""
    score = np.asarray(score)
    if threshold.unimodal:
        return np.zeros(score.shape, bool)
    return score < threshold.value


class _Windows(NamedTuple):
    here: NDArray[np.bool_]
    centres: NDArray[np.float64]
    counts: NDArray[np.int64]
    modes: NDArray[np.float64]
    mode_counts: NDArray[np.int64]
    p_values: NDArray[np.float64]


def _windows(scores: NDArray[np.float64], lower: int, top: float, distance: float) -> _Windows:
    """Count sorted scores in windows of every width, and in the fullest window below each.

    ``lower`` scores are in the lower class, the mean of the upper one is ``top``.
    """
    found = []
    for parts, share in _PARTS.items():
        width = distance / parts
        step = width / _STEPS_PER_WINDOW
        starts = np.arange(scores[0], top - width / 2, step)
        begin, end = np.searchsorted(scores, starts), np.searchsorted(scores, starts + width)
        counts = end - begin
        # The fullest of the windows that end where the window begins, or below.
        fullest = np.maximum.accumulate(counts)
        modes = np.searchsorted(fullest, fullest[:-_STEPS_PER_WINDOW])
        above = slice(_STEPS_PER_WINDOW, None)
        tests = (top - scores[0]) / width / share
        p_values = tests * binom.cdf(counts[above], counts[above] + counts[modes], 0.5)
        found.append(
            _Windows(
                here=np.maximum(begin - lower, lower - end)[above] <= 1 + _LARGEST_STRAY * lower,
                centres=starts[above] + width / 2,
                counts=counts[above],
                modes=starts[modes] + width / 2,
                mode_counts=counts[modes],
                p_values=np.minimum(p_values, 1.0),
            )
        )
    return _Windows(*map(np.concatenate, zip(*found, strict=True)))


def _refused(
    value: float, p_value: float, finding: str, label: str, way_out: str = ""
) -> Threshold:
    reason = f"{finding[0].upper()}{finding[1:]}, so nothing is called anomalous{way_out}."
    return Threshold(value, "otsu", True, p_value, reason, f"no threshold: {label}")
