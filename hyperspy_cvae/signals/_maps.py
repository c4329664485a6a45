"""What a detection returns."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hyperspy.signals import BaseSignal
from matplotlib.figure import Figure

from hyperspy_cvae.detection import Threshold


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

        A score that is not the PCC is saved under its own name, such as ``NAME-combined.hspy``.

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
        paths = [folder / f"{name}{end}" for end in (*maps, ".png")]
        there = [str(path) for path in paths if path.exists()]
        if there and not overwrite:
            raise FileExistsError(
                f"{there[0]!r} exists already: pass overwrite=True to replace it, or choose "
                "another folder or name."
            )
        folder.mkdir(parents=True, exist_ok=True)
        for path, each in zip(paths, maps.values(), strict=False):
            each.save(path, overwrite=True)
        figure = self._figure()
        figure.savefig(paths[-1], dpi=150)
        plt.close(figure)
        return paths
