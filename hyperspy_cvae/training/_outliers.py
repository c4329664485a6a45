"""Which spectra of a scan are left out of a training."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label, uniform_filter

from hyperspy_cvae.blocks import Cube, in_memory
from hyperspy_cvae.crossband import Regression
from hyperspy_cvae.deviations import Deviations
from hyperspy_cvae.low_rank import low_rank_bulk

_RADIUS = 1.5  # pixels
_SIZES = 1, 3  # pixels
_REST = 1.6  # what a deviation from the prediction counts, beside one from the network
_FAR = 3.0  # robust standard deviations


class Outliers:
    """Which spectra of a scan are likely anomalies, and are left out of a training.

    In each band of energies a spectrum is predicted from its other channels by a regression over
    the scan (:class:`hyperspy_cvae.crossband.Regression`); the deviation
    (:class:`hyperspy_cvae.deviations.Deviations`) is smoothed over 1.5 pixels, and that of the band
    where it is largest counts. So bulk that is rare is no outlier: its energies belong together as
    those of the other bulk do. An anomaly's do not. Once a network has learnt something, the lesser
    of that and of the deviation from what it reconstructs counts in each band; what is predicted
    and badly reconstructed is rare bulk.

    In small scans nothing but a mean is predicted. There the outliers are the spectra that are
    isolated in their components (:func:`hyperspy_cvae.low_rank.low_rank_bulk`), alone or with those
    around them, whatever a network reconstructs.

    Parameters
    ----------
    measured
        Intensities ``(rows, columns, energy)``, in channels as wide as fine structure.
    use
        Spectra that say what is usual, boolean ``(rows, columns)``; not none.
    most
        Share of these that may be outliers.
    piece
        Connected outliers of more pixels are bulk.

    Attributes
    ----------
    first
        The outliers before there is a network, boolean ``(rows, columns)``.
    isolated
        Whether isolation decides.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> counts = rng.poisson(np.full((20, 20, 40), 100.0)).astype(np.float32)
    >>> counts[5:8, 9:12, 20:] *= 2
    >>> found = Outliers(counts, np.ones((20, 20), bool), 0.1, 100).first
    >>> bool(found[5:8, 9:12].all()), int(found.sum()) < 30
    (True, True)
    """

    def __init__(self, measured: Cube, use: NDArray[np.bool_], most: float, piece: int) -> None:
        self._use, self._most, self._piece = use, most, piece
        self._deviations = Deviations(measured, use, _RADIUS)
        smooth, bands = self._deviations.smooth, self._deviations.bands
        self.shape: tuple[int, int, int] = measured.shape
        narrow = np.flatnonzero(~(bands > 0).all(1))
        regressions = [Regression(smooth, _RADIUS, hidden, use) for hidden in bands[narrow] > 0]
        self.isolated = not any(each.varies for each in regressions)
        if self.isolated:
            self.first = self._small(self._isolated(in_memory(measured)))
            return

        def predicted(spectra: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
            for each in regressions:
                others = np.maximum(spectra[..., ~each.hidden].sum(-1, keepdims=True), 0)
                yield others * each.expected(spectra)

        self._by_rest = np.full((*use.shape, len(bands)), np.inf, np.float32)
        by_rest = self._deviations.far(predicted, smooth, bands[narrow])
        self._by_rest[..., narrow] = _REST * by_rest
        self.first = self._farthest(self._by_rest[..., narrow].max(-1))

    def beside(self, expected: Cube) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Return the outliers once a network reconstructs the spectra, and what is rare bulk.

        Parameters
        ----------
        expected
            The reconstruction, of the shape of what was measured.

        Returns
        -------
        outliers : numpy.ndarray
            Boolean ``(rows, columns)``.
        rare : numpy.ndarray
            How many times as badly as allowed a network reconstructs bulk that the rest of its
            spectrum predicts, ``(rows, columns)``; 0 elsewhere.
        """
        by_network = self._deviations.far_from(expected)
        far, unfit = np.minimum(by_network, self._by_rest).max(-1), by_network.max(-1)
        rare = np.where((unfit > _FAR) & (far <= _FAR), unfit / np.float32(_FAR), 0)
        return self._farthest(far), rare.astype(np.float32)

    def _farthest(self, far: NDArray[np.float32]) -> NDArray[np.bool_]:
        limit = float(np.quantile(far[self._use], 1 - self._most))
        return self._small(far > max(_FAR, limit))

    def _isolated(self, measured: NDArray[np.float32]) -> NDArray[np.bool_]:
        found = np.zeros(self._use.shape, bool)
        for size in _SIZES:
            spectra = np.maximum(uniform_filter(measured, (size, size, 0)), 0)
            flat = spectra.reshape(-1, spectra.shape[2])
            usual = low_rank_bulk(flat, self._use.ravel()).usual
            found |= self._use & ~usual.reshape(found.shape)
        return found

    def _small(self, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
        regions, _ = label(found, np.ones((3, 3)))
        result: NDArray[np.bool_] = found & (np.bincount(regions.ravel())[regions] <= self._piece)
        return result
