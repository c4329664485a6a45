"""Which spectra of a scan a half-trained network finds foreign."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import median_abs_deviation

from hyperspy_cvae.blocks import Cube, blockwise, kept, spectra_at, to_map
from hyperspy_cvae.crossband import DARKEST, Regression
from hyperspy_cvae.sampling import some_of
from hyperspy_cvae.shards import energy_bands
from hyperspy_cvae.smoothing import noise_gain, smoothed_blocks

_RADIUS = 1.5  # pixels
_REST = 1.6  # what a deviation from the rest of the spectrum counts, beside one from the network
_ENOUGH_PIXELS = 4000  # to know what is usual to a few per cent
_TINY = float(np.finfo(np.float32).tiny)


class Outliers:
    r"""How far the spectra of a scan are from what is expected, beside the others of the scan.

    Residuals of the spectra, smoothed over pixels, are divided by the root of what is expected, as
    noise of counts is, and brought to unit deviation in every channel. In each of the overlapping
    bands of :func:`hyperspy_cvae.shards.energy_bands`, the cube root of their mean square is in
    robust standard deviations above its median: :math:`d`. What is usual is told from 4000 spectra.

    A spectrum is as far as the lesser of two, in the band where that is largest: :math:`d` from
    what a network makes of it, and 1.6 times the :math:`d` from what the rest of the spectrum lets
    expect in that band (:class:`hyperspy_cvae.crossband.Regression`). So bulk that is rare, which
    a half-trained network does not know, is not far: its energies belong together as those of the
    other bulk do. An anomaly's do not.

    Parameters
    ----------
    measured
        Intensities ``(rows, columns, energy)``, in channels as wide as fine structure.
    use
        Spectra that say what is usual, boolean ``(rows, columns)``; not none.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> expected = np.full((30, 30, 40), 50, np.float32)
    >>> measured = rng.poisson(expected).astype(np.float32)
    >>> measured[10:14, 10:14, 30:34] += 15
    >>> far, _ = Outliers(measured, np.ones((30, 30), bool)).far_from(expected)
    >>> bool(far[10:14, 10:14].mean() > np.quantile(far, 0.98))
    True
    """

    def __init__(self, measured: Cube, use: NDArray[np.bool_]) -> None:
        self.usual = some_of(use, _ENOUGH_PIXELS)
        self.bands = energy_bands(measured.shape[2])
        self.smooth = kept(smoothed_blocks(measured, _RADIUS))
        self.by_rest = np.full((len(self.bands), *use.shape), np.inf, np.float32)
        for band, far in zip(self.bands, self.by_rest, strict=True):
            if not (hidden := band > 0).all():
                regression = Regression(self.smooth, _RADIUS, hidden, use)

                def expected(
                    smooth: NDArray[np.float32],
                    hidden: NDArray[np.bool_] = hidden,
                    regression: Regression = regression,
                ) -> NDArray[np.float32]:
                    others = np.maximum(smooth[..., ~hidden].sum(-1, keepdims=True), 0)
                    return others * regression.expected(smooth)

                told = blockwise(expected, self.smooth, channels=int(hidden.sum()))
                far[:] = _REST * self._far(told, band)

    def far_from(self, expected: Cube) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return how far every spectrum is, and how badly it is fitted.

        Parameters
        ----------
        expected
            What a network makes of the spectra, of the same shape.

        Returns
        -------
        far : numpy.ndarray
            The lesser of the two, in robust standard deviations, ``(rows, columns)``.
        unfit : numpy.ndarray
            That from what the network makes of it.
        """
        smooth = kept(smoothed_blocks(expected, _RADIUS))
        far, unfit = np.full((2, *smooth.shape[:2]), -np.inf, np.float32)
        for band, by_rest in zip(self.bands, self.by_rest, strict=True):
            by_network = self._far(smooth[..., band > 0], band)
            far = np.maximum(far, np.minimum(by_network, by_rest))
            unfit = np.maximum(unfit, by_network)
        return far, unfit

    def _far(self, expected: Cube, band: NDArray[np.float32]) -> NDArray[np.float32]:
        inside = band > 0
        smooth = self.smooth[..., inside]
        sample = spectra_at(expected, self.usual)
        faintest = DARKEST * np.abs(sample).mean(0) + _TINY
        gain = noise_gain(expected.shape[:2], _RADIUS)

        def residual(
            smooth: NDArray[np.float32], expected: NDArray[np.float32], gain: NDArray[np.float32]
        ) -> NDArray[np.float32]:
            left = smooth - expected
            left /= np.sqrt(np.maximum(expected, faintest))
            left /= gain
            return left

        usual = residual(spectra_at(smooth, self.usual), sample, gain[self.usual][:, None])
        deviation = median_abs_deviation(usual, axis=0, scale="normal")
        # Without any a channel says nothing.
        share = band[inside] / band.sum() / np.where(deviation > 0, np.square(deviation), np.inf)
        share = share.astype(np.float32)

        def root_of_misfit(*blocks: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.cbrt(np.square(residual(*blocks)) @ share)

        misfit = to_map(root_of_misfit, smooth, expected, gain, dtype=np.float32)
        spread = median_abs_deviation(misfit[self.usual], scale="normal") + _TINY
        far: NDArray[np.float32] = (misfit - np.median(misfit[self.usual])) / spread
        return far
