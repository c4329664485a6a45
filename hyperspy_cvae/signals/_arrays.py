"""From HyperSpy's signals to plain arrays ``(rows, columns, energy)``, and back."""

from typing import Any, NamedTuple

import numpy as np
from hyperspy.signals import BaseSignal
from numpy.typing import NDArray

from hyperspy_cvae.artefacts import Artefacts, find_artefacts
from hyperspy_cvae.blocks import Cube
from hyperspy_cvae.preprocessing import Counts, prepare
from hyperspy_cvae.reconstruction import EnergyAxis


class Recorded(NamedTuple):
    """What was recorded, as plain numbers, and which of it is asked for."""

    signal: Any
    cube: Cube
    """Counts ``(rows, columns, energy)``."""
    judged: NDArray[np.bool_]
    """Pixels to judge, ``(rows, columns)``."""
    alive: NDArray[np.bool_]
    """Channels that hold a number in some spectrum, ``(energy,)``."""
    channels: NDArray[np.bool_]
    """Those of them that may be compared."""
    axis: EnergyAxis
    artefacts: Artefacts
    """Those of the camera and of the scan. X-ray hits are no longer in the counts."""


def recorded(signal: BaseSignal, navigation_mask: Any, signal_mask: Any) -> Recorded:
    """Return the counts of a signal without masked pixels and channels.

    Raises
    ------
    ValueError
        If the data or the masks cannot be used.
    """
    pixels = kept_pixels(signal, navigation_mask)
    channels = kept_channels(signal, signal_mask, None)
    (cube, judged, alive), artefacts = counts_and_artefacts(signal)
    steady = np.ones(alive.size, bool)
    steady[artefacts.unsteady] = False
    kept, axis = channels & alive & steady, energy_axis(signal)
    return Recorded(signal, cube, judged & pixels, alive, kept, axis, artefacts)


def counts(signal: BaseSignal) -> Counts:
    """Return the counts of a spectrum image or line scan; see :func:`counts_and_artefacts`."""
    return counts_and_artefacts(signal)[0]


def counts_and_artefacts(signal: BaseSignal) -> tuple[Counts, Artefacts]:
    """Return counts without X-ray hits, and the artefacts; of a lazy signal they stay on disk.

    Pixels that an artefact leaves without a measurement are not judged.

    Raises
    ------
    ValueError
        If there is no scan, or it has more than two dimensions, or nothing can be learnt of it.
    """
    manager = signal.axes_manager
    dimension = manager.navigation_dimension
    if dimension == 0 or manager.navigation_size < 2:
        raise ValueError(
            f"{signal} is a single spectrum, but an anomaly is told by its difference from other "
            "pixels: load a spectrum image or a line scan."
        )
    if dimension > 2:
        raise ValueError(
            f"{signal} has {dimension} navigation axes, but a scan has one or two: choose one of "
            "its spectrum images with s.inav, or sum over an axis."
        )
    data = signal.data
    if data.dtype.kind not in "biuf":
        raise ValueError(
            f"{signal} holds numbers of dtype {data.dtype}, but counts are real: convert them "
            "with s.change_dtype, or take s.real."
        )
    if not signal._lazy:
        data = np.asarray(data)
    found = prepare(data.reshape((*scan(signal), manager.signal_size)))
    artefacts, cube = find_artefacts(found.cube, found.judged, found.alive)
    judged = found.judged & ~artefacts.unusable
    return found._replace(cube=cube, judged=judged), artefacts


def scan(signal: BaseSignal) -> tuple[int, int]:
    """Rows and columns; a line scan is one row."""
    shape = signal.axes_manager.navigation_shape[::-1]
    return (1, *shape) if len(shape) == 1 else shape


def energy_axis(signal: BaseSignal) -> EnergyAxis:
    """Return the energy axis.

    Raises
    ------
    ValueError
        If it is not uniform, or does not rise.
    """
    axis = signal.axes_manager.signal_axes[0]
    if not axis.is_uniform:
        raise ValueError(
            f"The energy axis {axis.name} of {signal} is not uniform: make it so with "
            "s.interpolate_on_axis."
        )
    if axis.scale <= 0:
        raise ValueError(
            f"The energy axis {axis.name} of {signal} has the scale {axis.scale:g}, but a "
            "dispersion is above 0: correct s.axes_manager, or reverse the axis with s.isig[::-1]."
        )
    units = axis.units if isinstance(axis.units, str) else ""
    return EnergyAxis(float(axis.offset), float(axis.scale), int(axis.size), units)


def kept_pixels(signal: BaseSignal, navigation_mask: Any) -> NDArray[np.bool_]:
    """Return where ``navigation_mask`` is False, ``(rows, columns)``.

    Masks are HyperSpy's: True excludes, and plain arrays are in the order of
    ``axes_manager.navigation_shape``, as for ``decomposition()``.

    Raises
    ------
    ValueError
        If the shape is another one, or everything is excluded.
    """
    shape = signal.axes_manager.navigation_shape
    return _kept("navigation_mask", navigation_mask, shape).reshape(scan(signal))


def kept_channels(
    signal: BaseSignal, signal_mask: Any, signal_range: tuple[float, float] | None
) -> NDArray[np.bool_]:
    """Return which channels lie in ``signal_range`` and are False in ``signal_mask``.

    Raises
    ------
    ValueError
        If the range or the shape does not fit, or nothing is left.
    """
    kept = _kept("signal_mask", signal_mask, signal.axes_manager.signal_shape)
    inside = energy_axis(signal).channels(signal_range) & kept
    if not inside.any():
        raise ValueError(
            f"signal_mask excludes every channel of signal_range {signal_range}: True means "
            "excluded."
        )
    return inside


def _kept(name: str, mask: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the complement of a mask, in the order of arrays."""
    if mask is None:
        return np.ones(shape[::-1], bool)
    if isinstance(mask, BaseSignal):
        array = np.asarray(mask.data.compute() if mask._lazy else mask.data)
        found = array.shape[::-1]
    else:
        array = np.asarray(mask).T
        found = array.shape[::-1]
    if found != tuple(shape):
        raise ValueError(
            f"{name} has the shape {found}, but that of the signal's axes is {tuple(shape)}: give "
            "a boolean array of that shape, or a signal; True means excluded."
        )
    if array.dtype != bool:
        raise ValueError(
            f"{name} is of dtype {array.dtype}, but a mask is boolean and True means excluded: "
            "give a comparison such as image < 100."
        )
    if array.all():
        raise ValueError(f"{name} excludes everything: True means excluded; invert it with ~.")
    return ~array


def map_scale(signal: BaseSignal) -> tuple[tuple[float, float], str]:
    """Return height and width of a pixel of a map, and their unit; pixels if they differ."""
    axes = signal.axes_manager.signal_axes
    units = {axis.units if isinstance(axis.units, str) else "" for axis in axes}
    if len(units) > 1 or not all(axis.is_uniform for axis in axes):
        return (1.0, 1.0), ""
    width, height = axes[0].scale, axes[-1].scale
    return (float(abs(height)), float(abs(width))), units.pop()
