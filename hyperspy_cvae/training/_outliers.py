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
_FAR = 1.9  # robust standard deviations


def outlying(measured: Cube, use: NDArray[np.bool_], most: float, piece: int) -> NDArray[np.bool_]:
    """Return the spectra that are likely anomalies, boolean ``(rows, columns)``.

    In each band of energies a spectrum is predicted from its other channels by a regression over
    the scan (:class:`hyperspy_cvae.crossband.Regression`); the deviation
    (:class:`hyperspy_cvae.deviations.Deviations`) is smoothed over 1.5 pixels, and that of the band
    where it is largest counts. So bulk that is rare is no outlier: its energies belong together as
    those of the other bulk do. An anomaly's do not. In small scans, in which nothing but a mean is
    predicted, the outliers are the spectra that are isolated in their components
    (:func:`hyperspy_cvae.low_rank.low_rank_bulk`), alone or with those around them.

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

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> counts = rng.poisson(np.full((20, 20, 40), 100.0)).astype(np.float32)
    >>> counts[5:8, 9:12, 20:] *= 2
    >>> found = outlying(counts, np.ones((20, 20), bool), 0.1, 100)
    >>> bool(found[5:8, 9:12].all()), int(found.sum()) < 30
    (True, True)
    """
    deviations = Deviations(measured, use, _RADIUS)
    far = _unpredicted(deviations, use)
    if far is None:
        found = np.zeros(use.shape, bool)
        for size in _SIZES:
            spectra = np.maximum(uniform_filter(in_memory(measured), (size, size, 0)), 0)
            usual = low_rank_bulk(spectra.reshape(-1, spectra.shape[2]), use.ravel()).usual
            found |= use & ~usual.reshape(use.shape)
    else:
        found = far > max(_FAR, float(np.quantile(far[use], 1 - most)))
    regions, _ = label(found, np.ones((3, 3)))
    result: NDArray[np.bool_] = found & (np.bincount(regions.ravel())[regions] <= piece)
    return result


def _unpredicted(deviations: Deviations, use: NDArray[np.bool_]) -> NDArray[np.float32] | None:
    """Return how far spectra are from what the rest predicts; None if that is a mean at most."""
    smooth, bands = deviations.smooth, deviations.bands
    narrow = bands[~(bands > 0).all(1)]
    regressions = [Regression(smooth, _RADIUS, hidden, use) for hidden in narrow > 0]
    if not any(each.varies for each in regressions):
        return None

    def predicted(spectra: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        for each in regressions:
            others = np.maximum(spectra[..., ~each.hidden].sum(-1, keepdims=True), 0)
            yield others * each.expected(spectra)

    far: NDArray[np.float32] = deviations.far(predicted, smooth, narrow).max(-1)
    return far
