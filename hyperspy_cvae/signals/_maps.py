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
    mask
        True where a pixel is anomalous.
    image
        Counts summed over energy.
    threshold
        The limit below which a PCC is anomalous, and why.
    signal_range
        Energies between which spectra were compared.
    units
        Unit of ``signal_range``.
    provenance
        Version, seed and configuration, as kept in ``metadata.CVAE`` of the maps.
    """

    pcc: BaseSignal
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
            median = np.nanmedian(self.pcc.data)
            lines.append(f"  PCC             median {median:.3f}, lowest {self._lowest:.3f}")
        lines.append(f"  threshold       {self.threshold.reason}")
        return "\n".join(lines)

    @property
    def _lowest(self) -> float:
        return float(np.nanmin(self.pcc.data))

    def plot(self) -> None:
        """Plot the sum image, the PCC map with the mask outlined, and the PCC's histogram.

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
            np.atleast_2d(self.pcc.data),
            np.atleast_2d(self.mask.data),
            self.threshold,
            scale=scale,
            units=units,
            title=self.image.metadata.get_item("General.title", ""),
            signal_range_label=f"{low:.6g}-{high:.6g} {self.units}".rstrip(),
        )

    def save(
        self, folder: str | os.PathLike[str], name: str, overwrite: bool = False
    ) -> list[Path]:
        """Save the maps as ``NAME-pcc.hspy`` and ``NAME-mask.hspy`` and the figure as ``NAME.png``.

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
        paths = [folder / f"{name}{end}" for end in ("-pcc.hspy", "-mask.hspy", ".png")]
        there = [str(path) for path in paths if path.exists()]
        if there and not overwrite:
            raise FileExistsError(
                f"{there[0]!r} exists already: pass overwrite=True to replace it, or choose "
                "another folder or name."
            )
        folder.mkdir(parents=True, exist_ok=True)
        self.pcc.save(paths[0], overwrite=True)
        self.mask.save(paths[1], overwrite=True)
        figure = self._figure()
        figure.savefig(paths[2], dpi=150)
        plt.close(figure)
        return paths
