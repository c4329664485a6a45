"""Artefacts in the units of the signal's axes, and in words."""

from typing import Any

import numpy as np
import pandas as pd
from hyperspy.signals import BaseSignal

from hyperspy_cvae.artefacts import (
    BRIGHTNESS,
    CONSTANT_CHANNEL,
    DEAD,
    HIT,
    NOISY,
    NOISY_CHANNEL,
    ROW,
    SATURATED,
    UNUSABLE,
    Artefacts,
)
from hyperspy_cvae.reconstruction import EnergyAxis

_COLUMNS = ("energy", "height", "factor", "treatment")
_REPAIRED, _LEFT_OUT, _JUDGED = "repaired", "not judged", "judged"
_MOST_ENERGIES = 4
_PLURAL = {
    HIT: ("pixel holds X-ray hits", "pixels hold X-ray hits"),
    DEAD: ("pixel holds no counts", "pixels hold no counts"),
    SATURATED: ("pixel is saturated", "pixels are saturated"),
    NOISY: (
        "pixel has noise that counts do not have",
        "pixels have noise that counts do not have",
    ),
    BRIGHTNESS: ("pixel differs in brightness alone", "pixels differ in brightness alone"),
    ROW: ("row differs in brightness alone", "rows differ in brightness alone"),
}


def artefact_table(artefacts: Artefacts, signal: BaseSignal, axis: EnergyAxis) -> pd.DataFrame:
    """Return one line for each artefact of a scan; see :class:`hyperspy_cvae.AnomalyMaps`."""
    axes = signal.axes_manager.navigation_axes
    lines = []
    hits = artefacts.hits
    for kind, pixels in artefacts.pixels.items():
        places = np.argwhere(pixels)
        if kind == ROW:
            places = places[np.unique(places[:, 0], return_index=True)[1]]
        for row, column in places.tolist():
            line: dict[str, Any] = {"kind": kind}
            line |= {
                name: float(scan_axis.axis[place])
                for name, scan_axis, place in zip("xy", axes, (column, row), strict=False)
            }
            if kind == ROW:
                line["x"] = np.nan
            if kind == HIT:
                here = (hits.places[:, 0] == row) & (hits.places[:, 1] == column)
                line["energy"] = float(axis.values[int(np.median(hits.places[here, 2]))])
                line["height"] = float(hits.height[row, column])
            if kind in (BRIGHTNESS, ROW):
                line["factor"] = float(artefacts.factor[row, column])
            unusable = kind in UNUSABLE
            line["treatment"] = _REPAIRED if kind == HIT else _LEFT_OUT if unusable else _JUDGED
            lines.append(line)
    for kind, channels in artefacts.channels.items():
        treatment = "not compared" if kind == NOISY_CHANNEL else "compared"
        lines += [
            {"kind": kind, "energy": float(axis.values[each]), "treatment": treatment}
            for each in channels
        ]
    return pd.DataFrame(lines, columns=["kind", *"xy"[: len(axes)], *_COLUMNS])


def artefact_sentences(table: pd.DataFrame, units: str) -> list[str]:
    """Return the artefacts of a table in words, a sentence for each kind."""
    sentences = []
    for kind, lines in table.groupby("kind", sort=False):
        if kind in (NOISY_CHANNEL, CONSTANT_CHANNEL):
            energies = ", ".join(f"{each:.6g}" for each in lines["energy"].head(_MOST_ENERGIES))
            more = f" and {len(lines) - _MOST_ENERGIES} more" * (len(lines) > _MOST_ENERGIES)
            several = "s" * (len(lines) > 1)
            is_so = (
                f"flicker{'' if several else 's'}: not compared"
                if kind == NOISY_CHANNEL
                else f"hold{'' if several else 's'} the same number everywhere"
            )
            sentences.append(f"the channel{several} at {energies} {units}{more} {is_so}")
            continue
        told = f"{len(lines)} {_PLURAL[str(kind)][len(lines) > 1]}"
        treatment = lines["treatment"].iloc[0]
        sentences.append(told if treatment == _JUDGED else f"{told}: {treatment}")
    return sentences
