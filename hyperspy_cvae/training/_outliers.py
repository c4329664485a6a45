"""Which spectra of a scan are foreign, to the rest of them and to a half-trained network."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube
from hyperspy_cvae.crossband import Regression
from hyperspy_cvae.deviations import Deviations

_RADIUS = 1.5  # pixels
_REST = 1.6  # what a deviation from the rest of the spectrum counts, beside one from the network


class Outliers:
    r"""How far the spectra of a scan are from what is expected, beside the others of the scan.

    A spectrum is as far as the lesser of two deviations
    (:class:`hyperspy_cvae.deviations.Deviations`, smoothed over 1.5 pixels), in the band where that
    is largest: from what a network makes of it, and 1.6 times that from what the rest of the
    spectrum lets expect in that band (:class:`hyperspy_cvae.crossband.Regression`). So bulk that is
    rare, which a half-trained network does not know, is not far: its energies belong together as
    those of the other bulk do. An anomaly's do not.

    Parameters
    ----------
    measured
        Intensities ``(rows, columns, energy)``, in channels as wide as fine structure.
    use
        Spectra that say what is usual, boolean ``(rows, columns)``; not none.

    Attributes
    ----------
    by_rest
        1.6 times how far every spectrum is from what the rest of it lets expect, in the band where
        that is largest, ``(rows, columns)``: what there is to go by while no network can be asked.
        None if the rest lets expect a mean only, as in small scans, or no band leaves a rest.

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
        self._deviations = Deviations(measured, use, _RADIUS)
        self.smooth = smooth = self._deviations.smooth
        bands = self._deviations.bands
        self._in_bands = np.full((*use.shape, len(bands)), np.inf, np.float32)
        narrow = np.flatnonzero(~(bands > 0).all(1))
        regressions = [Regression(smooth, _RADIUS, hidden, use) for hidden in bands[narrow] > 0]

        def told(smooth: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
            for each in regressions:
                others = np.maximum(smooth[..., ~each.hidden].sum(-1, keepdims=True), 0)
                yield others * each.expected(smooth)

        self.by_rest: NDArray[np.float32] | None = None
        if len(narrow):
            self._in_bands[..., narrow] = _REST * self._deviations.far(told, smooth, bands[narrow])
            if any(each.varies for each in regressions):
                self.by_rest = self._in_bands[..., narrow].max(-1)

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
        unfit = self._deviations.far_from(expected)
        return np.minimum(unfit, self._in_bands).max(-1), unfit.max(-1)
