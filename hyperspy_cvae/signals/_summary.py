"""What was found, in words."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hyperspy_cvae.signals._artefacts import artefact_sentences

if TYPE_CHECKING:
    from hyperspy_cvae.signals._maps import AnomalyMaps

_MOST_TOLD = 8  # regions


def told(found: "AnomalyMaps") -> tuple[str, list[tuple[str, str]]]:
    """Return a title, and named lines of what was found."""
    judged = int(np.isfinite(found.pcc.data).sum())
    anomalous = int(found.mask.data.sum())
    low, high = found.signal_range
    lines = [
        ("compared in", f"{low:.6g}-{high:.6g} {found.units}".rstrip()),
        ("anomalous", f"{anomalous} of {judged} pixels ({anomalous / max(judged, 1):.2%})"),
    ]
    if judged < found.pcc.data.size:
        lines.append(("not judged", f"{found.pcc.data.size - judged} pixels"))
    if judged:
        for each in (found.pcc, found.score)[: 1 + (found.score is not found.pcc)]:
            median, lowest = np.nanmedian(each.data), np.nanmin(each.data)
            quantity = each.metadata.Signal.quantity
            lines.append((quantity, f"median {median:.4g}, lowest {lowest:.4g}"))
    for number, sentence in enumerate(artefact_sentences(found.artefact_table, found.units)):
        lines.append(("" if number else "artefacts", sentence))
    if why := found.provenance.get("choice"):
        lines.append(("method", f"{found.provenance['method']}: {why}"))
    lines.append(("threshold", found.threshold.reason))
    lines += _phases(found)
    smallest = found.provenance["decision"]["smallest_region"]
    if smallest > 1:
        lines.append(("left out", f"regions of fewer than {smallest} pixels"))
    lines += [("note", each) for each in found.provenance["notes"]]
    if len(found.regions) > 1:
        lines.append(("kinds", _kinds(found.regions)))
    units = found.regions.attrs["units"]
    for number, line in found.regions.head(_MOST_TOLD).iterrows():
        lines.append((f"region {number}", _region(line, units)))
        lines += [("", sentence) for sentence in found.explanations[number].sentences]
    if len(found.regions) > _MOST_TOLD:
        lines.append(("", f"and {len(found.regions) - _MOST_TOLD} more, see found.regions"))
    title = found.image.metadata.get_item("General.title", "") or "spectrum image"
    return f"Anomaly maps of {title}, by {found.provenance['method']}", lines


def _phases(found: "AnomalyMaps") -> list[tuple[str, str]]:
    """Return the phases of the bulk, if there are several, and in what they differ."""
    pixels = np.bincount(found.phases.data.ravel())[1:]
    if len(pixels) < 2:
        return []
    shares = [f"{share:.0%}" for share in pixels / pixels.sum()]
    listed = f"{', '.join(shares[:-1])} and {shares[-1]}"
    lines = [("phases", f"{len(pixels)}, clearly apart, of {listed} of the pixels: no anomalies")]
    for number, explanation in found.phase_explanations.items():
        first, *others = (each.replace("in bulk", "in phase 1") for each in explanation.sentences)
        lines.append((f"phase {number}", f"against phase 1: {first}"))
        lines += [("", each) for each in others]
    return lines


def _kinds(regions: pd.DataFrame) -> str:
    """Return how many regions and pixels there are of each kind, in a line."""
    told = []
    for kind, lines in regions.groupby("kind"):
        number, pixels = len(lines), int(lines["pixels"].sum())
        name = f"{kind}: " if kind else "too faint to tell: "
        told.append(
            f"{name}{number} region{'s' * (number > 1)}, {pixels} pixel{'s' * (pixels > 1)}"
        )
    return "; ".join(
        sorted(told, key=lambda each: (each.startswith("too"), len(each.split(":")[0])))
    )


def _region(region: pd.Series, units: dict[str, str]) -> str:
    """Return a region in a line."""
    place = ", ".join(f"{region[each]:.4g}" for each in ("x", "y") if each in region.index)
    kind = f"kind {region.kind}, " if region.kind else ""
    told = (
        f"{kind}{region.pixels} pixel{'s' * (region.pixels > 1)} at ({place}) {units['x']}".rstrip()
    )
    told += f", lowest {region.score:.3g}"
    if np.isfinite(region.p_value):
        told += f", p = {region.p_value:.1g}"
    return told
