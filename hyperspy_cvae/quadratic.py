"""What quadratic functions of spectra are functions of: components and brightness."""

import numpy as np
from numpy.typing import NDArray

_SAME = 1e-3  # relative differences of brightness
_WITHIN = (0.02, 0.98)  # quantiles
_TINY = float(np.finfo(np.float32).tiny)


class Brightness:
    """The logarithm of the sum of a spectrum, which tells of thickness, as a number near 0.

    In standard deviations from the mean of some spectra, and kept within what 96 % of them have, so
    that a thin place counts as thin as any of these. Where they differ by less than .1 % it is 0.

    Parameters
    ----------
    sums
        Sums of the spectra that say what is usual, positive.

    Examples
    --------
    >>> Brightness(np.array([90.0, 100.0, 110.0]))(np.array([1.0, 100.0])).round(1)
    array([-1.2,  0. ])
    """

    def __init__(self, sums: NDArray[np.floating]) -> None:
        logarithms = np.log(sums)
        self._level, self._spread = float(logarithms.mean()), float(logarithms.std())
        if self._spread < _SAME:
            self._spread = np.inf
        self._limits = np.quantile(logarithms, _WITHIN).astype(logarithms.dtype)

    def __call__(self, sums: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the brightness of spectra with such sums, in their shape."""
        return np.asarray((np.clip(np.log(sums), *self._limits) - self._level) / self._spread)


def numbers_for(terms: float) -> int:
    """Return of how many numbers a quadratic function has so many terms at most.

    Examples
    --------
    >>> numbers_for(6), numbers_for(9.9), numbers_for(10)  # 1, x, y, x2, xy, y2; and with z
    (2, 2, 3)
    """
    return int(np.sqrt(2 * terms + 0.25) - 1.5)  # n have (n + 1) (n + 2) / 2


def root_of(mean: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the root of a mean spectrum, as the noise of counts goes, and not 0 where that is.

    Examples
    --------
    >>> root_of(np.array([4.0, 9.0]))
    array([2., 3.], dtype=float32)
    """
    least = max(1e-3 * float(np.abs(mean).mean()), _TINY)
    return np.sqrt(np.maximum(mean, least)).astype(np.float32)
