"""Pictures that follow a threshold as it moves."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import imsave

from hyperspy_cvae.detection import Threshold
from hyperspy_cvae.plotting._drawing import (
    ANOMALOUS,
    BoolArray,
    FloatArray,
    add_colour_bar,
    as_planes,
    calibrated,
    colour_limits,
    draw_histogram,
    draw_map,
    draw_profile,
    draw_scale_bar,
    histogram_bins,
    outline,
)

_DPI = 100
# Where the axes of the histogram begin and end, for a slider to lie below them.
HISTOGRAM_SPAN = (0.14, 0.97)


class ThresholdPictures:
    """The map of a score with its anomalies outlined, and the histogram with the threshold.

    What does not depend on the threshold is drawn once, so that pictures are quick.

    Parameters
    ----------
    score
        Score of each spectrum, ``(rows, columns)`` or, of a line, ``(positions,)``.
    quantity
        What it is.
    scale, units
        Calibration; see :func:`plot_maps`.
    """

    def __init__(
        self,
        score: FloatArray,
        quantity: str,
        scale: tuple[float, float],
        units: str,
    ) -> None:
        (self._score,) = as_planes(score=score)
        self._step, units = calibrated(scale, units)
        self._bins = histogram_bins(self._score)
        nothing = np.zeros(self._score.shape, bool)
        unset = Threshold(np.nan, "fixed", True, np.nan, "", "")
        self._is_line = min(self._score.shape) == 1
        self._map = Figure(
            figsize=(5.2, 2.4 if self._is_line else 4.4), dpi=_DPI, layout="constrained"
        )
        axes = self._map.add_subplot()
        if self._is_line:
            along = self._step[0] if self._score.shape[0] > 1 else self._step[1]
            draw_profile(axes, self._score, nothing, unset, along, units, quantity)
            self._positions = along * np.arange(self._score.size)
        else:
            picture = draw_map(axes, self._score, self._step, colour_limits(self._score))
            draw_scale_bar(axes, self._score.shape, self._step, units)
            add_colour_bar(self._map, [axes], picture, self._score, quantity)
        self._histogram = Figure(figsize=(5.2, 2.6), dpi=_DPI)
        left, right = HISTOGRAM_SPAN
        below = self._histogram.add_axes((left, 0.2, right - left, 0.76))
        draw_histogram(below, self._score, nothing, unset, quantity, self._bins)
        below.set_xlim(self.limits)
        self._empty = []
        for figure in (self._map, self._histogram):
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            figure.set_layout_engine("none")
            self._empty.append((canvas, canvas.copy_from_bbox(figure.bbox)))

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest score and the highest, between which a threshold can lie."""
        return float(self._bins[0]), float(self._bins[-1])

    def of(self, mask: BoolArray, threshold: float) -> tuple[bytes, bytes]:
        """Return the map and the histogram for a mask and its threshold, as PNG.

        Parameters
        ----------
        mask
            True in the anomalous pixels, in the shape of the scores.
        threshold
            Drawn in the histogram unless it is NaN.
        """
        (mask,) = as_planes(mask=mask)
        above, below = self._map.axes[0], self._histogram.axes[0]
        ends = [(threshold, low) for low in below.get_ylim()] if np.isfinite(threshold) else []
        found = np.histogram(self._score[mask], self._bins)[0]
        bars = below.stairs(found, self._bins, fill=True, color=ANOMALOUS)
        line = LineCollection([ends] if ends else [], colors="black", linewidths=1.4)
        below.add_collection(line, autolim=False)
        marked: Artist
        if self._is_line:
            inside = mask.ravel()
            places, scores = self._positions[inside], self._score.ravel()[inside]
            (marked,) = above.plot(places, scores, ".", color=ANOMALOUS, ms=7)
        else:
            borders = LineCollection(outline(mask, self._step), colors=ANOMALOUS, linewidths=1.2)
            marked = above.add_collection(borders, autolim=False)
        return _png(*self._empty[0], above, [marked]), _png(*self._empty[1], below, [bars, line])


def _png(canvas: FigureCanvasAgg, empty: object, axes: Axes, artists: Sequence[Artist]) -> bytes:
    """Return a picture of what was drawn before with some artists, which go again."""
    canvas.restore_region(empty)
    for each in artists:
        axes.draw_artist(each)
        each.remove()
    with BytesIO() as file:
        picture = np.asarray(canvas.buffer_rgba())[..., :3]
        imsave(file, picture, format="png", pil_kwargs={"compress_level": 1})
        return file.getvalue()
