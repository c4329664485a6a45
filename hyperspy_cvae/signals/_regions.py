"""From regions of pixels to a table and to spectra, in the units of the signal's axes."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from exspy.signals import EELSSpectrum
from hyperspy.signals import BaseSignal
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube, spectra_at
from hyperspy_cvae.detection import EXPLAINED_AT_ONCE, Explanations, Region, explain_difference
from hyperspy_cvae.signals._arrays import energy_axis
from hyperspy_cvae.signals._edges import edges_in

_COLUMNS = ("score", "p_value", "energy", "change", "energies", "explanation")

RegionSpectra = tuple[BaseSignal | None, BaseSignal | None, BaseSignal | None]
"""Measured and reconstructed mean spectra, and the error of the measured; None without regions."""


def region_table(
    regions: Sequence[Region],
    signal: BaseSignal,
    energies: NDArray[np.floating],
    explanations: Explanations,
) -> pd.DataFrame:
    """Return one line for each region of a scan; see :class:`hyperspy_cvae.AnomalyMaps`.

    ``energies`` are those of the channels that were compared.
    """
    axes = signal.axes_manager.navigation_axes
    # Height and width of each pixel, of axes that need not be uniform.
    sizes = [np.abs(np.gradient(axis.axis)) if axis.size > 1 else np.ones(1) for axis in axes]
    lines = []
    for number, region in enumerate(regions, 1):
        columns_and_rows = np.nonzero(region.pixels)[::-1]
        sides = [size[pixels] for size, pixels in zip(sizes, columns_and_rows, strict=False)]
        area = float(np.prod(sides, axis=0).sum())
        line: dict[str, Any] = {"kind": region.kind, "pixels": len(columns_and_rows[0])}
        line["area"] = area
        for name, axis, pixels in zip("xy", axes, columns_and_rows, strict=False):
            line[name] = float(axis.axis[pixels].mean())
        line |= {"score": region.score, "p_value": region.p_value}
        if region.channels:
            line["energy"] = float(energies[region.channels[0]])
            line["change"] = region.change[0]
        line["energies"] = [round(float(energies[each]), 3) for each in region.channels]
        line["explanation"] = str(explanations[number]) if number <= EXPLAINED_AT_ONCE else ""
        lines.append(line)
    columns = ["kind", "pixels", "area", *"xy"[: len(axes)], *_COLUMNS]
    table = pd.DataFrame(
        lines, columns=columns, index=pd.RangeIndex(1, len(lines) + 1, name="region")
    )
    named = {**dict(zip("xy", axes, strict=False)), "energy": signal.axes_manager.signal_axes[0]}
    table.attrs["units"] = {
        name: axis.units if isinstance(axis.units, str) else "" for name, axis in named.items()
    }
    return table


def region_spectra(
    regions: Sequence[Region],
    signal: BaseSignal,
    cube: Cube,
    spectra: Cube,
    channels: NDArray[np.bool_],
) -> RegionSpectra:
    """Return mean spectra of the regions as signals, the region as navigation axis.

    ``channels`` are those that were compared; elsewhere the error is NaN.
    """
    if not regions:
        return None, None, None
    errors = np.full((len(regions), channels.size), np.nan)
    errors[:, channels] = [region.error for region in regions]
    measured, expected = (
        np.stack([spectra_at(each, region.pixels).mean(0) for region in regions])
        for each in (cube, spectra)
    )
    numbers = {"name": "Region", "offset": 1, "size": len(regions), "navigate": True}
    energy = signal.axes_manager.signal_axes[0].get_axis_dictionary()
    title = signal.metadata.get_item("General.title", "")

    def named(name: str, data: NDArray[np.floating]) -> BaseSignal:
        made = EELSSpectrum(data, axes=[numbers, energy])
        made.metadata.General.title = f"{name} in the regions of {title}" if title else name
        if elements := signal.metadata.get_item("Sample.elements", []):
            made.add_elements(elements)
        return made

    return named("Measured", measured), named("Reconstructed", expected), named("Error", errors)


def region_explanations(
    regions: Sequence[Region],
    signal: BaseSignal,
    spectra: RegionSpectra,
    channels: NDArray[np.bool_],
) -> Explanations:
    """Return what is other than in the bulk, region by region, each when it is asked for.

    ``channels`` are those that were compared.
    """
    axis = energy_axis(signal)
    ev = axis.dispersion_ev / axis.scale
    energies = axis.values[channels]
    edges = edges_in(signal, ev * energies[0], ev * energies[-1])
    explain = {}
    for index, region in enumerate(regions):
        measured, expected, error = (
            each.data[index, channels].astype(float) for each in spectra if each is not None
        )
        explain[index + 1] = partial(
            explain_difference,
            energies,
            measured,
            expected,
            error,
            axis.dispersion_ev,
            deviations=region.deviations,
            edges=edges,
            units=axis.units,
        )
    return Explanations(explain)
