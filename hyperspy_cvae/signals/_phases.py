"""How the phases of a spectrum image differ."""

from functools import partial

import numpy as np
from hyperspy.signals import BaseSignal
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube, spectra_at
from hyperspy_cvae.detection import Explanation, Explanations, explain_difference
from hyperspy_cvae.sampling import some_of
from hyperspy_cvae.signals._arrays import energy_axis
from hyperspy_cvae.signals._edges import edges_in

_ENOUGH_SPECTRA = 1000
_MOST_FINDINGS = 8


def phase_explanations(
    phases: NDArray[np.intp], signal: BaseSignal, cube: Cube, channels: NDArray[np.bool_]
) -> Explanations:
    """Return how each phase differs from the largest, by its number; each is found when it is read.

    The errors are those of the mean spectra, of how the spectra of each phase scatter.

    Parameters
    ----------
    phases
        As :func:`hyperspy_cvae.detection.find_phases` returns them.
    signal
        The spectrum image.
    cube
        Its counts ``(rows, columns, energy)``.
    channels
        Those that are compared, boolean ``(energy,)``.
    """
    numbers = range(2, int(phases.max(initial=0)) + 1)
    return Explanations(
        {each: partial(_explained, phases, each, signal, cube, channels) for each in numbers}
    )


def _explained(
    phases: NDArray[np.intp],
    number: int,
    signal: BaseSignal,
    cube: Cube,
    channels: NDArray[np.bool_],
) -> Explanation:
    axis = energy_axis(signal)
    ev = axis.dispersion_ev / axis.scale
    energies = axis.values[channels]
    (own, own_error), (main, main_error) = (
        _mean_and_error(cube, phases == each, channels) for each in (number, 1)
    )
    factor = own.sum() / max(main.sum(), float(np.finfo(np.float32).tiny))
    return explain_difference(
        energies,
        own,
        main,
        np.hypot(own_error, factor * main_error),
        axis.dispersion_ev,
        edges=edges_in(signal, ev * energies[0], ev * energies[-1]),
        units=axis.units,
        most=_MOST_FINDINGS,
    )


def _mean_and_error(
    cube: Cube, pixels: NDArray[np.bool_], channels: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of some spectra, and its standard error without that of brightness."""
    spectra = spectra_at(cube, some_of(pixels, _ENOUGH_SPECTRA))[:, channels].astype(np.float64)
    total = np.maximum(spectra.sum(1, keepdims=True), 1e-9)
    shapes = spectra / total * total.mean()
    return spectra.mean(0), shapes.std(0) / np.sqrt(len(spectra))
