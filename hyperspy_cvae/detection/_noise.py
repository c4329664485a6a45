"""The noise of a spectrum image, estimated from what a reconstruction leaves over."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

_BINS = 40
_FEWEST_PER_BIN = 20
_FAINT = 0.01
_FITTING = 0.9  # of the spectra


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
    r"""Estimate the noise of spectra from their deviations from what is expected.

    The tenth of the spectra that fits worst is left out: anomalies are among it, and the noise is
    hardly less without. The other counts are sorted into 40 bins of equal size by what is expected,
    :math:`r` (fewer of few counts), and :math:`\sigma^2 = g r + n^2` with :math:`g, n^2 \ge 0` is
    fitted to the mean squares of their deviations by least squares of errors that are
    relative, and to a hundredth of the mean variance absolute.

    Parameters
    ----------
    measured
        Counts ``(..., energy)``, finite; half a million of them are enough.
    expected
        The counts a reconstruction expects, of the same shape.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> expected = np.linspace(5, 200, 100_000).reshape(500, 200)
    >>> noise = estimate_noise(np.random.default_rng(0).poisson(expected), expected)
    >>> round(noise.gain, 1)
    1.0
    """
    if measured.shape != expected.shape:
        raise ValueError(
            f"expected has the shape {expected.shape}, but measured has {measured.shape}: give "
            "the reconstruction of the same pixels and channels."
        )
    channels = measured.shape[-1]
    level = expected.reshape(-1, channels).astype(np.float64)
    square = np.square(measured.reshape(-1, channels) - level)
    unlikely = square.sum(1) / np.maximum(np.maximum(level, 0).sum(1), np.finfo(float).tiny)
    fits = unlikely <= np.quantile(unlikely, _FITTING)
    level, square = level[fits].ravel(), square[fits].ravel()
    number = int(np.clip(level.size // _FEWEST_PER_BIN, 1, _BINS))
    bins = np.array_split(np.argsort(level, kind="stable"), number)
    levels = np.array([level[each].mean() for each in bins])
    variances = np.array([square[each].mean() for each in bins])
    seen = variances > 0
    if not seen.any():
        return Noise(0.0, 0.0)
    terms = np.stack([np.maximum(levels, 0), np.ones(number)], axis=1)[seen]
    # What vacuum leaves over is little in itself, and not to be had to a few per cent.
    error = variances[seen] + _FAINT * variances.mean()
    gain, floor = nnls(terms / error[:, None], variances[seen] / error)[0]
    return Noise(float(gain), float(np.sqrt(floor)))
