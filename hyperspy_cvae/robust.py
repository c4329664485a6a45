"""Spreads that are no rounding errors."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import median_abs_deviation, norm

ROUNDING = 32 * float(np.finfo(np.float32).eps)
"""Relative size up to which a difference of sums in float32 says nothing."""

QUANTILE = 0.84
"""That of a normal number a deviation above the median, nearly."""


def quantile_deviation(values: NDArray[np.floating]) -> Any:
    """Return half the distance of two quantiles along the first axis, as a standard deviation.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(0, 2, 10_000)
    >>> round(float(quantile_deviation(values)), 1)
    2.0
    """
    low, high = np.quantile(values, [1 - QUANTILE, QUANTILE], axis=0)
    return (high - low) / 2 / norm.ppf(QUANTILE)


def robust_deviation(values: NDArray[np.floating], size: ArrayLike = 0.0) -> Any:
    """Return the robust standard deviation along the first axis, and 0 where it may be rounding.

    What is 1.4826 times the median absolute deviation is a standard deviation if the values are
    normally distributed. What fits to rounding has differences that are rounding errors, which
    depend on the processor: divided by their own spread, they would look like deviations.

    Parameters
    ----------
    values
        Of any shape.
    size
        Size of the numbers of which the values are differences.

    Examples
    --------
    >>> difference = np.float32([0, 1e-6, -1e-6, 2e-6])
    >>> float(robust_deviation(difference, size=100.0))
    0.0
    """
    deviation = median_abs_deviation(values, axis=0, scale="normal")
    return np.where(deviation > ROUNDING * np.asarray(size), deviation, 0)
