"""Which spectra of a scan a half-trained network finds foreign."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import median_abs_deviation

from hyperspy_cvae.blocks import Cube, blockwise, kept, spectra_at
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
        self._usual = some_of(use, _ENOUGH_PIXELS)
        self._bands = energy_bands(measured.shape[2])
        self.smooth = kept(smoothed_blocks(measured, _RADIUS))
        self._usual_spectra = spectra_at(self.smooth, self._usual)
        self._by_rest = np.full((*use.shape, len(self._bands)), np.inf, np.float32)
        narrow = np.flatnonzero(~(self._bands > 0).all(1))
        regressions = [
            Regression(self.smooth, _RADIUS, hidden, use) for hidden in self._bands[narrow] > 0
        ]

        def by_rest(smooth: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
            for each in regressions:
                others = np.maximum(smooth[..., ~each.hidden].sum(-1, keepdims=True), 0)
                yield others * each.expected(smooth)

        if len(narrow):
            far = self._far(by_rest, self.smooth, self._bands[narrow])
            self._by_rest[..., narrow] = _REST * far

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

        bands = self._bands

        def by_network(smooth: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
            for band in bands:
                yield np.compress(band > 0, smooth, -1)

        unfit = self._far(by_network, kept(smoothed_blocks(expected, _RADIUS)), bands)
        return np.minimum(unfit, self._by_rest).max(-1), unfit.max(-1)

    def _far(
        self,
        expected_of: Callable[[NDArray[np.float32]], Iterator[NDArray[np.float32]]],
        cube: Cube,
        bands: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return how far spectra are in each band, ``(rows, columns, bands)``.

        What is expected in the bands' channels is told from the spectra of another cube.
        """
        gain = noise_gain(self.smooth.shape[:2], _RADIUS)
        terms = []
        usual_gain = gain[self._usual][:, None]
        for band, expected in zip(bands, expected_of(spectra_at(cube, self._usual)), strict=True):
            inside = band > 0
            faintest = DARKEST * np.abs(expected).mean(0) + _TINY
            usual = _residual(self._usual_spectra[:, inside], expected, faintest, usual_gain)
            deviation = median_abs_deviation(usual, axis=0, scale="normal")
            # Without any a channel says nothing.
            share = band[inside] / band.sum() / np.where(deviation > 0, deviation**2, np.inf)
            terms.append((inside, faintest, share.astype(np.float32)))

        def roots_of_misfits(
            smooth: NDArray[np.float32], spectra: NDArray[np.float32], gain: NDArray[np.float32]
        ) -> NDArray[np.float32]:
            found = [
                np.square(_residual(np.compress(inside, smooth, -1), expected, faintest, gain))
                @ share
                for (inside, faintest, share), expected in zip(
                    terms, expected_of(spectra), strict=True
                )
            ]
            return np.cbrt(np.stack(found, -1))

        blocks = blockwise(roots_of_misfits, self.smooth, cube, gain, channels=len(bands))
        misfits = blocks.compute()
        usual = misfits[self._usual]
        spread = median_abs_deviation(usual, axis=0, scale="normal") + _TINY
        far: NDArray[np.float32] = (misfits - np.median(usual, axis=0)) / spread
        return far


def _residual(
    measured: NDArray[np.float32],
    expected: NDArray[np.float32],
    faintest: NDArray[np.float32],
    gain: NDArray[np.float32],
) -> NDArray[np.float32]:
    left = measured - expected
    left /= np.sqrt(np.maximum(expected, faintest))
    left /= gain
    return left
