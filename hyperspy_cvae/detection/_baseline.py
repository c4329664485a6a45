"""Whether the bulk needed a network at all."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.detection._misfit import noise_of, some_spectra
from hyperspy_cvae.detection._scores import energy_width
from hyperspy_cvae.smoothing import smoothed

_RADIUS = 1.0  # pixels
_AS_WELL = 1.02  # times the misfit
_TINY = float(np.finfo(np.float32).tiny)


def as_good(
    measured: NDArray[np.float32],
    expected: NDArray[np.float32],
    simpler: Mapping[str, NDArray[np.float32]],
    dispersion: float,
    judged: NDArray[np.bool_],
) -> list[str]:
    """Return the names of simpler reconstructions that explain a scan as well.

    What is compared is the median over the pixels of the mean square of the residual, smoothed over
    1 pixel and 1.5 eV, so that little but misfit is in it. Anomalies are too few to matter.

    Parameters
    ----------
    measured
        Counts ``(rows, columns, energy)``, finite.
    expected
        Their reconstruction, of the same shape.
    simpler
        Other reconstructions, by name.
    dispersion
        Energy per channel in eV.
    judged
        Pixels that count.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bulk = np.full((20, 20, 30), 50, np.float32)
    >>> counts = rng.poisson(bulk).astype(np.float32)
    >>> tilted = bulk * np.linspace(0.9, 1.1, 30, dtype=np.float32)
    >>> as_good(counts, bulk, {"flat": bulk, "tilted": tilted}, 0.5, np.ones((20, 20), bool))
    ['flat']
    """
    noise = noise_of(*some_spectra(judged, measured, expected))
    variance = np.maximum(noise.variance(expected), _TINY).astype(np.float32)
    width = energy_width(dispersion, measured.shape[2])

    def misfit(spectra: NDArray[np.float32]) -> float:
        residual = smoothed((measured - spectra) / np.sqrt(variance), _RADIUS, width)
        return float(np.median(np.square(residual).mean(-1)[judged]))

    own = misfit(expected)
    return [name for name, spectra in simpler.items() if misfit(spectra) <= _AS_WELL * own]
