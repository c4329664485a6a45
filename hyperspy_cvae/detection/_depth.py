"""How deep scores lie below those of the bulk, and how far the bulk's own go."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution
from scipy.stats import median_abs_deviation

from hyperspy_cvae.detection._scores import Score

NO_LOWER = 0.05  # p-value from which on a place is hardly lower than the bulk gets
_FEWEST_VALUES = 10


@dataclass(frozen=True)
class DepthScale:
    """How scores become depths: nearly normal numbers for the bulk, larger for more anomalous."""

    score: Score
    median: float
    deviation: float

    @classmethod
    def of(cls, scores: NDArray[np.float64], score: Score) -> "DepthScale":
        root = cls(score, 0.0, 1.0).depth(scores)
        deviation = float(median_abs_deviation(root, scale="normal"))
        # Histograms and ranks need more than rounding to tell scores apart.
        if deviation <= 16 * np.spacing(np.abs(root).max()):
            deviation = 0.0
        return cls(score, float(np.median(root)), deviation)

    def depth(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the depth of scores; nothing is less deep than those that are not finite."""
        if self.score == "combined":  # of cube roots already
            root = -scores
        else:
            root = np.cbrt(-scores if self.score == "residual" else 1 - scores)
        return np.where(np.isfinite(scores), (root - self.median) / self.deviation, -np.inf)

    def score_at(self, depth: float) -> float:
        """Return the score of a depth."""
        root = self.median + self.deviation * depth
        if self.score == "combined":
            return -root
        return -(root**3) if self.score == "residual" else 1 - root**3


@dataclass(frozen=True)
class Tail:
    """An exponential tail, told from its beginning, for anomalies may make its end.

    The formula is that of :func:`hyperspy_cvae.detection.find_anomalies`.
    """

    share: float
    begin: float
    scale: float
    known: int

    @classmethod
    def of(cls, values: NDArray[np.float64], quantiles: tuple[float, float]) -> "Tail | None":
        """Fit it between two quantiles of the values; None if they are too few or equal."""
        if values.size < _FEWEST_VALUES:
            return None
        begin, end = np.quantile(values, quantiles)
        within = values[(values > begin) & (values <= end)]
        if not within.size:
            return None
        censored = np.count_nonzero(values > end)
        scale = ((within - begin).sum() + censored * (end - begin)) / within.size
        return cls(1 - quantiles[0], float(begin), float(scale), within.size)

    def p_values(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how probable it is that one of the bulk is so large."""
        beyond = np.maximum(values - self.begin, 0) / self.scale
        tail = self.share * f_distribution.sf(beyond, 2, 2 * self.known)
        return np.where(values > self.begin, tail, 1.0)

    def value_at(self, p_value: float) -> float:
        """Return what one of the bulk reaches with that probability, at most the tail's share."""
        share = min(1.0, p_value / self.share)
        return self.begin + self.scale * float(f_distribution.isf(share, 2, 2 * self.known))


def formatted(*values: float) -> Callable[[float], str]:
    """Return how to write scores, with as many decimals as tell these apart."""
    decimals = max(0, 2 - int(np.floor(np.log10(max(np.ptp(values), 1e-12)))))
    return lambda score: f"{score:.{decimals}f}"
