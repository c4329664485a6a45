"""What a detection returns."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hyperspy.signals import BaseSignal
from matplotlib.figure import Figure

from hyperspy_cvae.detection import Threshold

_MOST_TOLD = 8  # regions


@dataclass(frozen=True)
class AnomalyMaps:
    """Maps of a spectrum image: what does not belong, and where.

    Unpacks as ``pcc, mask = found``.

    Parameters
    ----------
    pcc
        Pearson correlation of every spectrum with its reconstruction (eq. 4) on the calibrated
        axes of the scan; low is anomalous. NaN where nothing was measured, where
        ``navigation_mask`` excluded a pixel, and where a spectrum is constant.
    score
        What the threshold was applied to, lower for more anomalous: ``pcc`` itself, or the map of
        another score.
    mask
        True where a pixel is anomalous.
    image
        Counts summed over energy.
    regions
        One line for each connected region, the lowest score first: ``pixels``, ``area``, its centre
        ``x`` and ``y``, its lowest ``score``, the ``p_value`` of the bulk getting as low anywhere
        in the scan, and the ``energy`` where its mean spectrum differs most from the
        reconstructed, with the relative ``change`` of the counts there, its ``significance`` in
        standard errors, and all ``energies`` that stand out, at most three. Lengths and energies
        are in the units of the axes, which ``regions.attrs["units"]`` tells.
    measured, reconstructed, error
        Mean spectra of the regions, with the region as navigation axis, and the standard error of
        the measured one; NaN in channels that were not compared. None if there is no region.
    threshold
        The limit below which a score is anomalous, and why.
    signal_range
        Energies between which spectra were compared.
    units
        Unit of ``signal_range``.
    provenance
        Version, seed and configuration, as kept in ``metadata.CVAE`` of the maps.
    """

    pcc: BaseSignal
    score: BaseSignal
    mask: BaseSignal
    image: BaseSignal
    regions: pd.DataFrame
    measured: BaseSignal | None
    reconstructed: BaseSignal | None
    error: BaseSignal | None
    threshold: Threshold
    signal_range: tuple[float, float]
    units: str
    provenance: dict[str, Any]

    def __iter__(self) -> Iterator[BaseSignal]:
        return iter((self.pcc, self.mask))

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return what was found, in a few readable lines."""
        judged = int(np.isfinite(self.pcc.data).sum())
        anomalous = int(self.mask.data.sum())
        low, high = self.signal_range
        title = self.image.metadata.get_item("General.title", "") or "spectrum image"
        lines = [
            f"Anomaly maps of {title}, by {self.provenance['method']}",
            f"  compared in     {low:.6g}-{high:.6g} {self.units}".rstrip(),
            f"  anomalous       {anomalous} of {judged} pixels ({anomalous / max(judged, 1):.2%})",
        ]
        if judged < self.pcc.data.size:
            lines.append(f"  not judged      {self.pcc.data.size - judged} pixels")
        if judged:
            for each in (self.pcc, self.score)[: 1 + (self.score is not self.pcc)]:
                median, lowest = np.nanmedian(each.data), np.nanmin(each.data)
                quantity = each.metadata.Signal.quantity
                lines.append(f"  {quantity:<15} median {median:.4g}, lowest {lowest:.4g}")
        lines.append(f"  threshold       {self.threshold.reason}")
        lines += [
            f"  region {number:<9}{_told(line, self.regions.attrs['units'])}"
            for number, line in self.regions.head(_MOST_TOLD).iterrows()
        ]
        if len(self.regions) > _MOST_TOLD:
            lines.append(f"  and {len(self.regions) - _MOST_TOLD} more, see found.regions")
        return "\n".join(lines)

    def plot(self) -> None:
        """Plot the sum image, the map of the score with the mask outlined, and its histogram.

        The figure is pyplot's current one afterwards, ``matplotlib.pyplot.gcf()``.
        """
        self._figure()

    def _figure(self) -> Figure:
        from hyperspy_cvae.plotting import plot_maps
        from hyperspy_cvae.signals._arrays import map_scale

        low, high = self.signal_range
        scale, units = map_scale(self.pcc)
        return plot_maps(
            np.atleast_2d(self.image.data),
            np.atleast_2d(self.score.data),
            np.atleast_2d(self.mask.data),
            self.threshold,
            quantity=self.score.metadata.Signal.quantity,
            scale=scale,
            units=units,
            title=self.image.metadata.get_item("General.title", ""),
            signal_range_label=f"{low:.6g}-{high:.6g} {self.units}".rstrip(),
        )

    def save(
        self, folder: str | os.PathLike[str], name: str, overwrite: bool = False
    ) -> list[Path]:
        """Save the maps as ``NAME-pcc.hspy`` and ``NAME-mask.hspy`` and the figure as ``NAME.png``.

        A score that is not the PCC is saved under its own name, such as ``NAME-combined.hspy``, and
        the table of the regions as ``NAME-regions.csv``.

        Parameters
        ----------
        folder
            Where to; made if it does not exist.
        name
            How the files' names begin.
        overwrite
            Whether to replace files of these names.

        Returns
        -------
        list of pathlib.Path
            The files written.

        Raises
        ------
        FileExistsError
            If one of them exists and ``overwrite`` is False; nothing is written then.
        """
        import matplotlib.pyplot as plt

        folder = Path(folder)
        maps = {"-pcc.hspy": self.pcc, "-mask.hspy": self.mask}
        if self.score is not self.pcc:
            maps[f"-{self.provenance['score']}.hspy"] = self.score
        paths = [folder / f"{name}{end}" for end in (*maps, "-regions.csv", ".png")]
        there = [str(path) for path in paths if path.exists()]
        if there and not overwrite:
            raise FileExistsError(
                f"{there[0]!r} exists already: pass overwrite=True to replace it, or choose "
                "another folder or name."
            )
        folder.mkdir(parents=True, exist_ok=True)
        for path, each in zip(paths, maps.values(), strict=False):
            each.save(path, overwrite=True)
        self.regions.to_csv(paths[-2])
        figure = self._figure()
        figure.savefig(paths[-1], dpi=150)
        plt.close(figure)
        return paths


def _told(region: pd.Series, units: dict[str, str]) -> str:
    """Return a region in a line."""
    place = ", ".join(f"{region[each]:.4g}" for each in ("x", "y") if each in region.index)
    told = f"{region.pixels} pixels at ({place}) {units['x']}".rstrip()
    told += f", lowest {region.score:.3g}"
    if np.isfinite(region.p_value):
        told += f", p = {region.p_value:.1g}"
    if np.isfinite(region.energy):
        energy = f"{region.energy:.5g} {units['energy']}".rstrip()
        sigmas = abs(region.significance)
        told += f"; {100 * region.change:+.2g} % at {energy} ({sigmas:.0f} sigma)"
    return told
