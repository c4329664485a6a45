"""How far spectra are from what is expected, beside the others of a scan."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube, blockwise, kept, spectra_at
from hyperspy_cvae.crossband import DARKEST
from hyperspy_cvae.robust import robust_deviation
from hyperspy_cvae.sampling import some_of
from hyperspy_cvae.shards import energy_bands
from hyperspy_cvae.smoothing import noise_gain, smoothed_blocks

_ENOUGH_PIXELS = 4000  # to know what is usual to a few per cent
_TINY = float(np.finfo(np.float32).tiny)


class Deviations:
    r"""How far the spectra of a scan are from what is expected in each band of energies.

    Residuals of the spectra, smoothed over pixels, are divided by the root of what is expected, as
    noise of counts is, and brought to unit deviation in every channel. In each of the overlapping
    bands of :func:`hyperspy_cvae.shards.energy_bands`, the cube root of their mean square is in
    robust standard deviations above its median. What is usual is told from 4000 spectra.

    Parameters
    ----------
    measured
        Intensities ``(rows, columns, energy)``, in channels as wide as fine structure.
    use
        Spectra that say what is usual, boolean ``(rows, columns)``; not none.
    radius
        Standard deviation of the Gaussian that smooths, in pixels.

    Attributes
    ----------
    bands
        The bands, ``(bands, energy)``.
    smooth
        The spectra, smoothed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> expected = np.full((30, 30, 40), 50, np.float32)
    >>> measured = rng.poisson(expected).astype(np.float32)
    >>> measured[10:14, 10:14, 30:34] += 15
    >>> far = Deviations(measured, np.ones((30, 30), bool), 1.5).far_from(expected).max(-1)
    >>> bool(far[10:14, 10:14].mean() > np.quantile(far, 0.98))
    True
    """

    def __init__(self, measured: Cube, use: NDArray[np.bool_], radius: float) -> None:
        self.bands = energy_bands(measured.shape[2])
        self.smooth = kept(smoothed_blocks(measured, radius))
        self._radius = radius
        self._usual = some_of(use, _ENOUGH_PIXELS)
        self._usual_spectra = spectra_at(self.smooth, self._usual)

    def far_from(self, expected: Cube) -> NDArray[np.float32]:
        """Return how far every spectrum is in each band, ``(rows, columns, bands)``.

        Parameters
        ----------
        expected
            What is expected of the spectra, of their shape.
        """

        def in_bands(smooth: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
            for band in self.bands:
                yield np.compress(band > 0, smooth, -1)

        return self.far(in_bands, kept(smoothed_blocks(expected, self._radius)), self.bands)

    def far(
        self,
        expected_of: Callable[[NDArray[np.float32]], Iterator[NDArray[np.float32]]],
        cube: Cube,
        bands: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return how far spectra are in some bands, ``(rows, columns, bands)``.

        Parameters
        ----------
        expected_of
            Makes of spectra of ``cube`` what is expected in the channels of each of the bands.
        cube
            What that is told from, smoothed.
        bands
            Some of the bands, ``(bands, energy)``.
        """
        gain = noise_gain(self.smooth.shape[:2], self._radius)
        terms = []
        usual_gain = gain[self._usual][:, None]
        for band, expected in zip(bands, expected_of(spectra_at(cube, self._usual)), strict=True):
            inside = band > 0
            faintest = DARKEST * np.abs(expected).mean(0) + _TINY
            usual = _residual(self._usual_spectra[:, inside], expected, faintest, usual_gain)
            size = np.sqrt(np.maximum(np.abs(self._usual_spectra[:, inside]).mean(0), faintest))
            deviation = robust_deviation(usual, size)
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
        middle = np.median(usual, axis=0)
        spread = robust_deviation(usual, middle)
        far: NDArray[np.float32] = (misfits - middle) / np.where(spread > 0, spread, np.inf)
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
