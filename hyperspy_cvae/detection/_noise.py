"""The noise of a spectrum image, estimated from what a reconstruction leaves over."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import median_abs_deviation

_BINS = 40
_ENOUGH = 2_000_000  # counts to know two numbers


@dataclass(frozen=True)
class Noise:
    """Noise whose variance grows linearly with the counts.

    Attributes
    ----------
    gain
        Variance per expected count, in counts: 1 for electron counting. Light that spreads over
        neighbouring channels lowers it.
    read_noise
        Standard deviation in counts where nothing is expected.

    Examples
    --------
    >>> Noise(gain=2.0, read_noise=3.0).variance(np.array([0.0, 100.0]))
    array([  9., 209.])
    """

    gain: float
    read_noise: float

    def variance(self, expected: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the variance of counts where ``expected`` are expected, in counts squared."""
        return self.gain * np.maximum(expected, 0) + self.read_noise**2


def estimate_noise(measured: NDArray[np.floating], expected: NDArray[np.floating]) -> Noise:
    r"""Estimate the noise of counts from their deviations from what is expected.

    The counts are sorted into 40 bins of equal size by what is expected, :math:`r`. The variance in
    each is estimated by the median absolute deviation, which a few anomalies do not change, and
    :math:`\sigma^2 = g r + n^2` with :math:`g, n^2 \ge 0` is fitted to them by least squares of
    their relative errors.

    Parameters
    ----------
    measured
        Counts of any shape, finite.
    expected
        The counts a reconstruction expects, of the same shape.

    Raises
    ------
    ValueError
        If the shapes differ or there are fewer than 40 counts.

    Examples
    --------
    >>> expected = np.linspace(5, 200, 100_000)
    >>> noise = estimate_noise(np.random.default_rng(0).poisson(expected), expected)
    >>> round(noise.gain, 1)
    1.0
    """
    if measured.shape != expected.shape:
        raise ValueError(
            f"expected has the shape {expected.shape}, but measured has {measured.shape}: give "
            "the reconstruction of the same pixels and channels."
        )
    if measured.size < _BINS:
        raise ValueError(f"measured holds {measured.size} counts, but at least {_BINS} are needed.")
    # Every n-th, with n odd, so that no channel of an even number of them is always left out.
    step = measured.size // _ENOUGH // 2 * 2 + 1
    level = expected.ravel()[::step].astype(np.float64)
    deviation = measured.ravel()[::step] - level
    bins = np.array_split(np.argsort(level, kind="stable"), _BINS)
    levels = np.array([level[each].mean() for each in bins])
    variances = np.array([median_abs_deviation(deviation[b], scale="normal") ** 2 for b in bins])
    seen = variances > 0
    if not seen.any():
        return Noise(0.0, 0.0)
    terms = np.stack([np.maximum(levels, 0), np.ones(_BINS)], axis=1)[seen]
    gain, floor = nnls(terms / variances[seen, None], np.ones(seen.sum()))[0]
    return Noise(float(gain), float(np.sqrt(floor)))
