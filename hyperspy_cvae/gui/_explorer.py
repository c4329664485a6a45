"""A figure in which spectra follow the mouse."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backend_bases import MouseButton
from matplotlib.figure import SubFigure
from matplotlib.widgets import Button
from numpy.typing import NDArray

from hyperspy_cvae.blocks import spectra_at
from hyperspy_cvae.detection import ResidualScale
from hyperspy_cvae.plotting import ANOMALOUS, MAP, SpectraPlot, colour_limits, outline

if TYPE_CHECKING:
    from hyperspy_cvae.signals import AnomalyMaps

_FRAME = 3  # pixels of the frame where there is no region to begin with
_BUTTONS = {"previous region": (0.1, -1), "next region": (0.36, 1)}


class Explorer:
    """The map of a score in HyperSpy's figure, and the spectra of what its ROI covers.

    See :meth:`hyperspy_cvae.AnomalyMaps.explore`.

    Parameters
    ----------
    found
        The maps; they are left as they are.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    roi : hyperspy.roi.BaseInteractiveROI
        The frame: rectangular, or a span of a line scan.
    region : int
        Number of the region whose spectra are shown; 0 if they are those of the frame.
    """

    def __init__(self, found: "AnomalyMaps") -> None:
        # These maps as they are now: they may be decided anew while the figure is open.
        self._found = found = replace(found, mask=found.mask.deepcopy())
        self._map = found.score.deepcopy()
        for axis in self._map.axes_manager.signal_axes:
            if not axis.is_uniform:
                axis.convert_to_uniform_axis(log_scale_error=False)
        self._axes = self._map.axes_manager.signal_axes
        comparison = found.comparison
        self._measured, self._bulk, self._judged = comparison.compared(found.signal_range)
        mask = np.atleast_2d(found.mask.data)
        dispersion = comparison.axis.dispersion_ev
        self._scale = ResidualScale.of(self._measured, self._bulk, dispersion, self._judged, mask)
        self.region = 0
        self.figure = plt.figure(figsize=(10.4, 4.8))
        if manager := self.figure.canvas.manager:
            manager.set_window_title(self._map.metadata.General.title)
        halves = self.figure.add_gridspec(1, 2, width_ratios=(1, 1.25))
        left, right = (self.figure.add_subfigure(halves[0, each]) for each in range(2))
        self._draw_map(left)
        self._map._plot.signal_plot.ax.set_title(
            self._map.metadata.General.title, fontsize="medium"
        )
        places = {"bottom": 0.24, "top": 0.92, "hspace": 0.08, "left": 0.14, "right": 0.97}
        above, below = right.subplots(2, 1, height_ratios=(1.6, 1), gridspec_kw=places)
        energies = comparison.energies(found.signal_range)
        self._plot = SpectraPlot(above, below, energies, found.units)
        self._buttons = []
        for name, (start, step) in _BUTTONS.items() if len(found.regions) else ():
            button = Button(right.add_axes((start, 0.015, 0.24, 0.07)), name)
            button.on_clicked(partial(self._step, step))
            self._buttons.append(button)
        self.roi = self._first_roi()
        self.roi.add_widget(self._map, color="white")
        self.roi.events.changed.connect(self._show_frame, [])
        self.figure.canvas.mpl_connect("button_press_event", self._clicked)
        if len(found.regions):
            self.go(1)
        else:
            self._show_frame()

    def go(self, region: int) -> None:
        """Show the mean spectra of all pixels of a region, with the frame around it.

        Parameters
        ----------
        region
            Its number in ``found.regions``.
        """
        pixels = self._found.region_mask(region)
        with self.roi.events.changed.suppress():
            self._put_frame([(each.min(), each.max() + 1) for each in np.nonzero(pixels)[::-1]])
        self.region = region
        lowest = self._found.regions.score[region]
        title = f"Region {region} of {len(self._found.regions)}, lowest score {lowest:.3g}"
        self._show(pixels, title)

    def _step(self, step: int, event: Any = None) -> None:
        """Go to the next region or to the one before; after the last comes the first."""
        here = self.region or (0 if step > 0 else 1)
        self.go((here - 1 + step) % len(self._found.regions) + 1)

    def _draw_map(self, figure: SubFigure) -> None:
        data, mask, regions = self._map.data, self._found.mask.data, self._found.regions
        if data.ndim == 1:
            self._map.plot(fig=figure)
            points = np.column_stack([self._axes[0].axis, data])[mask]
            marked = hs.plot.markers.Points(points, color=ANOMALOUS, sizes=20)
            self._map.add_marker(marked, permanent=False)
            return
        low, high = colour_limits(data)
        self._map.plot(fig=figure, cmap=MAP, vmin=low, vmax=high, scalebar_color="black")
        if len(regions):
            borders = np.array(outline(mask, (1.0, 1.0)))
            for axis, ends in zip(self._axes, np.moveaxis(borders, -1, 0), strict=True):
                # A pixel lies around its value, and the first begins at 0 of the outline.
                ends[...] = axis.offset + axis.scale * (ends - 0.5)
            style = {"color": ANOMALOUS, "linewidth": 1.2}
            numbers = [str(each) for each in regions.index]
            beside = {"horizontalalignment": "left", "verticalalignment": "bottom"}
            self._map.add_marker(
                [
                    hs.plot.markers.Lines(borders, **style),
                    hs.plot.markers.Texts(
                        regions[["x", "y"]].to_numpy(), texts=numbers, color="white", **beside
                    ),
                ],
                permanent=False,
            )

    def _first_roi(self) -> Any:
        lowest = np.nan_to_num(self._map.data, nan=np.inf).argmin()
        place = np.unravel_index(lowest, self._map.data.shape)[::-1]
        values = []
        for axis, index in zip(self._axes, place, strict=True):
            first = int(np.clip(index - _FRAME // 2, 0, max(axis.size - _FRAME, 0)))
            values.append(_values(axis, first, min(first + _FRAME, axis.size)))
        if len(values) == 1:
            return hs.roi.SpanROI(*values[0])
        (left, right), (top, bottom) = values
        return hs.roi.RectangularROI(left, top, right, bottom)

    def _put_frame(self, spans: list[tuple[int, int]]) -> None:
        """Put the frame around the pixels between two indices of each axis."""
        limits = [_values(axis, *span) for axis, span in zip(self._axes, spans, strict=True)]
        names = [("left", "right"), ("top", "bottom")]
        self.roi.trait_setq(
            **{
                name: value
                for pair, values in zip(names, limits, strict=False)
                for name, value in zip(pair, values, strict=True)
            }
        )
        self.roi.update()

    def _covered(self) -> list[tuple[int, int]]:
        """Return the first index and the one after the last of what the frame covers."""
        sides = [(self.roi.left, self.roi.right)]
        if len(self._axes) == 2:
            sides.append((self.roi.top, self.roi.bottom))
        covered = []
        for axis, (low, high) in zip(self._axes, sides, strict=True):
            first, last = (round((each - axis.offset) / axis.scale) for each in (low, high))
            first = int(np.clip(first, 0, axis.size - 1))
            covered.append((first, int(np.clip(last, first + 1, axis.size))))
        return covered

    def _show_frame(self) -> None:
        self.region = 0
        covered = self._covered()
        pixels = np.zeros(self._map.data.shape, bool)
        pixels[tuple(slice(*each) for each in covered[::-1])] = True
        size = " x ".join(str(last - first) for first, last in covered)
        where = ", ".join(
            f"{axis.name} = {(first + last - 1) / 2 * axis.scale + axis.offset:.4g} {_units(axis)}"
            for axis, (first, last) in zip(self._axes, covered, strict=True)
        )
        self._show(pixels, f"{size} pixels around {where}".rstrip())

    def _show(self, pixels: NDArray[np.bool_], title: str) -> None:
        pixels = np.atleast_2d(pixels) & self._judged
        if not pixels.any():
            self._plot.show_nothing(f"{title}: not judged")
            self.figure.canvas.draw_idle()
            return
        measured, bulk = (spectra_at(each, pixels) for each in (self._measured, self._bulk))
        error = self._scale.error(bulk)
        self._plot.show(measured.mean(0), bulk.mean(0), error, title)
        self.figure.canvas.draw_idle()

    def _clicked(self, event: Any) -> None:
        plot = self._map._plot.signal_plot
        toolbar = getattr(self.figure.canvas, "toolbar", None)
        zooming = bool(toolbar is not None and toolbar.mode)
        widget = self.roi.signal_map[self._map][0]
        if event.button != MouseButton.LEFT or event.inaxes is not plot.ax or zooming:
            return
        if any(patch.contains(event)[0] for patch in widget.patch):
            return  # it is being dragged
        covered = self._covered()
        values = (event.xdata, event.ydata)
        spans = []
        for axis, value, (first, last) in zip(self._axes, values, covered, strict=False):
            width = last - first
            centre = (value - axis.offset) / axis.scale
            begin = int(np.clip(round(centre - (width - 1) / 2), 0, axis.size - width))
            spans.append((begin, begin + width))
        self._put_frame(spans)


def _units(axis: Any) -> str:
    return axis.units if isinstance(axis.units, str) else ""


def _values(axis: Any, first: int, end: int) -> tuple[float, float]:
    """Return where a ROI begins and ends that covers the pixels from first to before end."""
    return float(axis.offset + axis.scale * first), float(axis.offset + axis.scale * end)
