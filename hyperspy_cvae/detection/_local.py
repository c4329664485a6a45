"""What a reconstruction misses over a whole neighbourhood, which is no anomaly."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from hyperspy_cvae.blocks import Cube, blockwise, to_map
from hyperspy_cvae.smoothing import smoothed_blocks

_RADIUS = 12.0  # pixels: more than an anomaly, less than most domains
_WITNESSES = 25.0  # bright pixels that outweigh nothing being missed
_TINY = float(np.finfo(np.float32).tiny)


def with_local_misfit(measured: Cube, expected: Cube, usual: NDArray[np.bool_]) -> Cube:
    r"""Return a reconstruction to which is added what it misses in the neighbourhood.

    A slow change of thickness or strain that a network follows in part leaves little in a pixel,
    but the same in hundreds, and is as much as a faint anomaly. Of a spectrum :math:`x` with a
    reconstruction :math:`r` of the sum :math:`n`,

    .. math:: r_e \to r_e + n \, \frac{\sum_i g_i (x_{ie} - r_{ie})}{\sum_i g_i n_i + n_0}

    over the usual pixels, with a Gaussian :math:`g` of 12 pixels; :math:`n_0` are 25 median
    spectra that miss nothing, so that few pixels say little.

    Parameters
    ----------
    measured
        Counts ``(rows, columns, energy)``, finite.
    expected
        Their reconstruction, of the same shape; left as it is.
    usual
        Pixels that say what is missed, ``(rows, columns)``: none that may be anomalous.

    Returns
    -------
    dask.array.Array
        Of the same shape; or ``expected``, if there is nothing usual.

    Examples
    --------
    >>> expected = np.full((40, 40, 8), 50, np.float32)
    >>> measured = expected * np.linspace(0.9, 1.1, 8, dtype=np.float32)
    >>> found = with_local_misfit(measured, expected, np.ones((40, 40), bool))
    >>> bool(abs(found.compute() / measured - 1).max() < 0.01)
    True
    """
    total = to_map(lambda block: np.maximum(block.sum(-1), 0), expected, dtype=np.float32)
    typical = float(np.median(total[usual])) if usual.any() else 0.0
    if typical < _TINY:
        return expected
    weight = usual.astype(np.float32)
    nothing = _WITNESSES / (2 * np.pi * _RADIUS**2) * typical
    counted = gaussian_filter(total * weight, _RADIUS) + np.float32(nothing)

    def residual(
        measured: NDArray[np.float32], expected: NDArray[np.float32], weight: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        return (measured - expected) * weight

    def corrected(
        expected: NDArray[np.float32], missed: NDArray[np.float32], share: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        return expected + missed * share

    channels = measured.shape[2]
    missed = blockwise(residual, measured, expected, weight, channels=channels)
    missed = smoothed_blocks(missed, _RADIUS)
    return blockwise(corrected, expected, missed, total / counted, channels=channels)
