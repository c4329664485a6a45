"""What a detection returns."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from hyperspy.signals import BaseSignal
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hyperspy_cvae.detection import (
    Explanation,
    Explanations,
    Score,
    Threshold,
    as_limit,
    check_score,
)
from hyperspy_cvae.plotting import as_html, plot_maps, plot_region
from hyperspy_cvae.signals._arrays import map_scale
from hyperspy_cvae.signals._summary import told

if TYPE_CHECKING:
    from hyperspy_cvae.gui import Explorer
    from hyperspy_cvae.signals._comparison import Comparison

_HTML_DPI, _FILE_DPI = 72, 150


@dataclass(eq=False, repr=False)
class AnomalyMaps:
    """Maps of a spectrum image: what does not belong, and where.

    Unpacks as ``pcc, mask = found``. A notebook shows it as a summary with a picture.

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
    artefacts
        True where the counts alone tell an artefact of the camera or of the scan.
    artefact_table
        One line for each of them: its ``kind``, its place ``x`` and ``y`` (of a row only ``y``),
        the ``energy`` of an X-ray hit or a channel, the ``height`` of a hit in standard deviations,
        the ``factor`` by which a pixel or row is brighter than those around it, and the
        ``treatment``. X-ray hits, one to three channels that a ray has lifted, are repaired by
        the spectra most like them. Dead, saturated and noisy pixels are neither trained on
        nor judged, and noisy channels are not compared. Pixels and rows that differ in brightness
        alone are judged as all others.
    phases
        The phase of every pixel: 1 for the largest, 2 for the next; 0 where nothing was judged.
        Phases are no anomalies: see :func:`hyperspy_cvae.detection.find_phases`.
    phase_explanations
        In what the spectra of a phase differ from those of the largest, by its number from 2 on.
    labels
        The number of the region of every pixel as in ``regions``, in the shape of the maps; 0
        outside of them.
    image
        Counts summed over energy.
    regions
        One line for each connected region, the lowest score first: its ``kind``, a letter that
        those have in common whose spectra differ in the same way, ``pixels``, ``area``, its centre
        ``x`` and ``y``, its lowest ``score``, the ``p_value`` of bulk going as low anywhere
        in the scan, and the ``energy`` where its mean spectrum differs most from the
        reconstructed, with the relative ``change`` of the counts there, and all ``energies`` at
        which it differs clearly, at most three. Lengths and energies are in the units of the axes,
        which ``regions.attrs["units"]`` holds.

        The ``explanation`` of the first 20, in words, is from fits of structure: see
        :meth:`explain`. Its energies are those of maxima of the bulk, not those where counts differ
        most, as on the flank of a maximum that has moved. Its sigmas allow for the faults of the
        reconstruction and for all that was looked at. The rest has an empty one: ask for it,
        ``explain(21)``.
    measured, reconstructed, error
        Mean spectra of the regions, with the region as navigation axis, and the standard error of
        the measured one; NaN in channels that were not compared. None if there is no region.
    explanations
        What is other than in the bulk, by the number of the region; found out when it is asked for.
    threshold
        The limit on the score, how it was found, and why.
    signal_range
        Energies between which spectra were compared.
    units
        Unit of ``signal_range``.
    provenance
        Version, seed, configuration, and what was decided, as kept in ``metadata.CVAE`` of the
        maps.
    comparison
        What they were told from: the spectrum image, ``comparison.signal``, beside its bulk,
        ``comparison.bulk``.
    """

    pcc: BaseSignal
    score: BaseSignal
    mask: BaseSignal
    artefacts: BaseSignal
    artefact_table: pd.DataFrame
    phases: BaseSignal
    phase_explanations: Explanations
    labels: NDArray[np.intp]
    image: BaseSignal
    regions: pd.DataFrame
    measured: BaseSignal | None
    reconstructed: BaseSignal | None
    error: BaseSignal | None
    explanations: Explanations
    threshold: Threshold
    signal_range: tuple[float, float]
    units: str
    provenance: dict[str, Any]
    comparison: "Comparison"

    def __iter__(self) -> Iterator[BaseSignal]:
        return iter((self.pcc, self.mask))

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return what was found, in a few readable lines."""
        title, lines = told(self)
        return "\n".join([title, *(f"  {name:<15} {text}".rstrip() for name, text in lines)])

    @property
    def pixel_size(self) -> tuple[tuple[float, float], str]:
        """Height and width of a pixel, and their unit."""
        return map_scale(self.mask)

    def region_mask(self, region: int) -> NDArray[np.bool_]:
        """Return the pixels of a region, by its number in ``regions``, in the shape of the maps."""
        self._check_region(region)
        return self.labels == region

    def explore(self) -> "Explorer":
        """Look at spectra: click into the map, or drag the frame, and they follow.

        To the left is the map of the score with the mask outlined; to the right are the mean
        spectrum in the frame, its reconstruction, and the residual with a band of two standard
        errors. Buttons go from region to region. This needs a backend that listens to the mouse,
        such as ``%matplotlib widget`` in Jupyter, or Qt; with others the figure shows the first
        region.

        Returns
        -------
        hyperspy_cvae.gui.Explorer
            To be kept as long as the figure is used; ``view.roi`` is HyperSpy's ROI of the frame.
        """
        from hyperspy_cvae.gui import Explorer

        return Explorer(self)

    def decide(
        self,
        threshold: Literal["auto", "otsu"] | float | None = None,
        *,
        smallest_region: int | None = None,
        score: Score | None = None,
        signal_range: tuple[float, float] | None = None,
        display: bool = True,
        toolkit: str | None = None,
    ) -> Any:
        """Decide what is anomalous, by the settings given or, without any, in a panel.

        The panel has a slider for the threshold beside the histogram of the scores, and others for
        the smallest region, the score and the energies compared; the mask and the counts follow.
        When it is applied these maps change: the mask in place, so that HyperSpy's figures of it
        follow. ``decide("auto", smallest_region=1)`` goes back to what was found automatically.
        What was decided is in ``mask.metadata.CVAE.Decision``.

        Parameters
        ----------
        threshold
            As in :meth:`EELSAnomalySignal.detect_anomalies`. By default the present one, but the
            automatic one where a limit that was a number would be one of another score or range.
        smallest_region
            Smaller regions, in pixels, are left out. By default as before.
        score
            What spectra are compared by. By default the present one.
        signal_range
            ``(low, high)`` in units of the energy axis. By default as before.
        display, toolkit
            Of HyperSpy's panels: whether to show it, and by which widgets.

        Returns
        -------
        dict or None
            The widgets if ``display`` is False.

        Raises
        ------
        ValueError
            If a setting cannot be used; nothing is changed then.
        RuntimeError
            If there is no notebook to show the panel in.
        """
        given = threshold, smallest_region, score, signal_range
        if any(each is not None for each in given):
            self._become(self._decided(*given))
            return None
        from hyperspy_cvae.gui import AnomalyDecision

        decision: Any = AnomalyDecision(self)  # which has its panel of HyperSpy's decorator
        return decision.gui(display=display, toolkit=toolkit)

    def _decided(
        self,
        threshold: Literal["auto", "otsu"] | float | None,
        smallest_region: int | None,
        score: Score | None,
        signal_range: tuple[float, float] | None,
    ) -> "AnomalyMaps":
        """Return what is found by these settings, those that are None as they are."""
        present = self.provenance["decision"]
        if threshold is None:
            stays = score is None and signal_range is None
            threshold = present["threshold"] if stays or not present["by_hand"] else "auto"
        fewest = present["smallest_region"] if smallest_region is None else smallest_region
        if isinstance(fewest, bool) or not isinstance(fewest, int | np.integer) or fewest < 1:
            raise ValueError(
                f"smallest_region is {fewest!r}, but a whole number of pixels from 1 on is needed."
            )
        wanted = self.provenance["score"] if score is None else score
        check_score(wanted)
        return self.comparison.judge(
            self.signal_range if signal_range is None else signal_range,
            wanted,
            as_limit(threshold),
            int(fewest),
        )

    def _become(self, other: "AnomalyMaps") -> None:
        """Take over what another holds; the mask in place, for figures of it to follow."""
        mask = self.mask
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))
        mask.data[...] = other.mask.data
        mask.metadata.CVAE = other.mask.metadata.CVAE
        self.mask = mask
        mask.events.data_changed.trigger(obj=mask)

    def _repr_html_(self) -> str:
        return as_html(*told(self), self._png(_HTML_DPI))

    def plot(self) -> None:
        """Plot the sum image, the map of the score with the mask outlined, and its histogram.

        The figure is pyplot's current one afterwards, ``matplotlib.pyplot.gcf()``.
        """
        self._figure()

    def explain(self, region: int | None = None) -> Explanation | Explanations:
        """Tell what is other than in the bulk: which edge, how much, how sure.

        Edges are named for certain only if their element was declared before the detection,
        ``s.add_elements(("Fe", "O"))``. How it is told is in
        :func:`hyperspy_cvae.detection.explain_difference`.

        Parameters
        ----------
        region
            Its number, as in ``regions``; all of them by default.

        Returns
        -------
        Explanation or Explanations
            Prints as a sentence, or as one for each of the first 20 regions.
            ``explanation.findings`` holds the numbers.

        Raises
        ------
        ValueError
            If there is no such region.
        """
        return self.explanations if region is None else self._explained(region)

    def plot_region(self, region: int = 1) -> None:
        """Plot what was measured in a region, what the bulk would be there, and the difference.

        The edges of the elements that were declared, and of what was found, are marked. The figure
        is pyplot's current one afterwards.

        Parameters
        ----------
        region
            Its number, as in ``regions``.

        Raises
        ------
        ValueError
            If there is no such region.
        """
        from hyperspy_cvae.signals._arrays import energy_axis
        from hyperspy_cvae.signals._edges import edges_in

        explanation, pixels = self._explained(region), int(self.regions.pixels[region])
        axis = energy_axis(self.measured)
        ev = axis.dispersion_ev / axis.scale
        near = edges_in(self.measured, *(ev * energy for energy in self.signal_range))
        plot_region(
            explanation,
            edges=[edge for edge in near if edge.declared],
            ev=ev,
            units=self.units,
            title=f"Region {region}, {pixels} pixel{'s' if pixels > 1 else ''}",
        )

    def _explained(self, region: int) -> Explanation:
        self._check_region(region)
        return self.explanations[region]

    def _check_region(self, region: int) -> None:
        if region not in self.regions.index:
            last = len(self.regions)
            known = f"choose one of 1 to {last}, see found.regions" if last else "none was found"
            raise ValueError(f"region is {region!r}: {known}.")

    def _figure(self) -> Figure:
        low, high = self.signal_range
        scale, units = self.pixel_size
        return plot_maps(
            np.atleast_2d(self.image.data),
            np.atleast_2d(self.score.data),
            np.atleast_2d(self.mask.data),
            self.threshold,
            quantity=self.score.metadata.Signal.quantity,
            scale=scale,
            units=units,
            title=self.image.metadata.get_item("General.title", ""),
            artefacts=self.comparison.artefacts.pixels,
            phases=np.atleast_2d(self.phases.data),
            labels=np.atleast_2d(self.labels),
            kinds=self.regions["kind"].to_list(),
            signal_range_label=f"{low:.6g}-{high:.6g} {self.units}".rstrip(),
        )

    def _png(self, dpi: float) -> bytes:
        """Return the figure as PNG, without it appearing where figures appear."""
        import matplotlib.pyplot as plt

        with plt.ioff(), BytesIO() as file:
            figure = self._figure()
            figure.savefig(file, format="png", dpi=dpi)
            plt.close(figure)
            return file.getvalue()

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
        paths[-1].write_bytes(self._png(_FILE_DPI))
        return paths
