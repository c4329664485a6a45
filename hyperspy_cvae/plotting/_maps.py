"""The figure of what was found in one spectrum image."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from hyperspy_cvae.detection import Threshold
from hyperspy_cvae.plotting._drawing import (
    ANOMALOUS,
    ARTEFACT,
    PHASE,
    BoolArray,
    FloatArray,
    add_colour_bar,
    as_planes,
    calibrated,
    colour_limits,
    draw_histogram,
    draw_map,
    draw_outline,
    draw_profile,
    draw_scale_bar,
    draw_spans,
    map_extent,
    share_label,
    shortened,
)

IntArray = NDArray[np.integer]

_MOST_NAMED = 30  # regions
_MARKERS = "x+sD^_"  # of kinds of artefacts


def plot_maps(
    image: FloatArray,
    score: FloatArray,
    mask: BoolArray,
    threshold: Threshold,
    *,
    quantity: str = "PCC",
    scale: tuple[float, float] = (1.0, 1.0),
    units: str = "",
    title: str = "",
    signal_range_label: str = "",
    artefacts: Mapping[str, BoolArray] | None = None,
    phases: IntArray | None = None,
    labels: IntArray | None = None,
    kinds: Sequence[str] = (),
) -> Figure:
    """Draw what was found in one spectrum image: its image, the map of its scores, their histogram.

    A line scan (one row or one column) is drawn as profiles over the position.

    Parameters
    ----------
    image
        Sum of the counts over energy, shape ``(rows, columns)`` or, of a line, ``(positions,)``.
    score
        Score of each spectrum, lower for more anomalous, of the same shape; NaN where a pixel was
        not judged.
    mask
        True in the anomalous pixels, of the same shape.
    threshold
        The threshold that gave ``mask``, or that was refused.
    quantity
        What ``score`` is, such as the Pearson correlation (PCC).
    scale
        Distance between rows and between columns in ``units``.
    units
        Units of ``scale``. If they are no length, distances are given in pixels.
    title
        Title of the figure.
    signal_range_label
        The energy range of the score, such as ``"690-730 eV"``.
    artefacts
        Pixels with artefacts by kind, such as ``"X-ray hit"``, each of the same shape; they are
        marked.
    phases
        The number of the phase of each pixel, of the same shape. Phases are outlined in the image.
    labels
        The number of the region of each pixel, from 1 on, of the same shape.
    kinds
        The kind of each of these regions. Where there are two kinds and more, each of the first 30
        regions is named by its own.

    Returns
    -------
    matplotlib.figure.Figure
        Made with pyplot, so that it appears where figures appear.

    Raises
    ------
    ValueError
        If the three arrays differ in shape or are empty.

    Examples
    --------
    >>> from hyperspy_cvae.detection import anomalous, fixed_threshold
    >>> rng = np.random.default_rng(0)
    >>> image, score = rng.poisson(100, (16, 20)), rng.normal(0.9, 0.02, (16, 20))
    >>> score[4:7, 5:9] -= 0.4
    >>> threshold = fixed_threshold(0.7)
    >>> figure = plot_maps(
    ...     image, score, anomalous(score, threshold), threshold, scale=(0.5, 0.5), units="nm"
    ... )
    >>> [axes.get_title() for axes in figure.axes[:3]]
    ['Sum over energy', 'PCC', '12 of 320 pixels anomalous (3.8 %)']
    >>> plt.close(figure)
    """
    image, score, mask = as_planes(image=image, score=score, mask=mask)
    step, units = calibrated(scale, units)
    heading = f"{quantity}, {signal_range_label}" if signal_range_label else quantity
    if min(score.shape) == 1:
        along = step[0] if score.shape[0] > 1 else step[1]
        figure, axes = _line_axes()
        _draw_profiles(axes[:2], image, score, mask, threshold, along, units, quantity)
        for kind, marker in _marked(artefacts):
            places = np.flatnonzero(marker.pixels)
            heights = np.nan_to_num(score.ravel()[places], nan=float(np.nanmedian(score)))
            _mark(axes[1], along * places, heights, kind, marker.shape)
    else:
        figure, axes = _map_axes(score.shape, step)
        picture = axes[0].imshow(image, cmap="gray", extent=map_extent(image.shape, step))
        judged = image[np.isfinite(score)]
        picture.set_clim(*colour_limits(judged if judged.size else image))
        draw_scale_bar(axes[0], image.shape, step, units)
        if phases is not None:
            for number in range(2, int(phases.max()) + 1):
                draw_outline(axes[0], np.asarray(phases == number), step, PHASE, 0.8)
        picture = draw_map(axes[1], score, step, colour_limits(score))
        draw_outline(axes[1], mask, step)
        if labels is not None and len(set(filter(None, kinds))) > 1:
            _name_kinds(axes[1], labels, kinds[:_MOST_NAMED], step)
        for kind, marker in _marked(artefacts):
            rows, columns = np.nonzero(marker.pixels)
            x, y = (columns + 0.5) * step[1], (rows + 0.5) * step[0]
            _mark(axes[1], x, y, kind, marker.shape)
        add_colour_bar(figure, [axes[1]], picture, score, quantity)
    axes[0].set_title("Sum over energy")
    axes[1].set_title(heading)
    draw_histogram(axes[2], score, mask, threshold, quantity)
    axes[2].set_title(share_label(score, mask))
    if title:
        figure.suptitle(shortened(title, 90), fontsize="large", parse_math=False)
    return figure


class _Marker(NamedTuple):
    pixels: BoolArray
    shape: str


def _marked(artefacts: Mapping[str, BoolArray] | None) -> Iterator[tuple[str, _Marker]]:
    """Yield the kinds of artefacts that there are, each with a marker of its own."""
    for number, (kind, pixels) in enumerate((artefacts or {}).items()):
        if pixels.any():
            yield kind, _Marker(pixels, _MARKERS[number % len(_MARKERS)])


def _mark(axes: Axes, x: FloatArray, y: FloatArray, kind: str, marker: str) -> None:
    axes.plot(
        x, y, marker, color=ARTEFACT, ms=5, mew=1.2, mfc="none", ls="none", label=kind, zorder=3
    )
    axes.legend(loc="best", fontsize="small", framealpha=0.8)


def _name_kinds(
    axes: Axes, labels: IntArray, kinds: Sequence[str], step: tuple[float, float]
) -> None:
    """Write the kinds of regions above them to the right, or below where they are at the top."""
    stroke = [withStroke(linewidth=2, foreground="white")]
    for number, kind in enumerate(kinds, 1):
        rows, columns = np.nonzero(labels == number)
        top = rows.min() > 0.1 * labels.shape[0]
        end = columns.max() < 0.9 * labels.shape[1]
        axes.annotate(
            kind,
            (
                (columns.max() + 1 if end else columns.min()) * step[1],
                (rows.min() if top else rows.max() + 1) * step[0],
            ),
            ha="left" if end else "right",
            va="bottom" if top else "top",
            color=ANOMALOUS,
            fontsize="small",
            fontweight="bold",
            path_effects=stroke,
            annotation_clip=True,
        )


def _map_axes(shape: tuple[int, ...], step: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return axes for image, map and histogram: beside each other, or above if they are wide."""
    ratio = shape[0] * step[0] / (shape[1] * step[1])
    if ratio < 0.45:
        height = max(0.7, 6.5 * ratio)
        sizes = (height, height, 2.2)
        figure, axes = plt.subplots(
            3, 1, figsize=(7.4, sum(sizes) + 1.7), height_ratios=sizes, layout="constrained"
        )
    else:
        height = 3.2 if ratio < 1.5 else 4.4
        width = max(1.7, min(4.0, height / ratio))
        sizes = (width, width + 0.9, 3.4)
        figure, axes = plt.subplots(
            1, 3, figsize=(sum(sizes) + 1.0, height + 0.9), width_ratios=sizes, layout="constrained"
        )
    return figure, list(axes)


def _line_axes() -> tuple[Figure, list[Axes]]:
    figure, axes = plt.subplot_mosaic(
        [["image", "histogram"], ["score", "histogram"]],
        figsize=(10, 4.2),
        width_ratios=(1.8, 1),
        layout="constrained",
    )
    axes["image"].sharex(axes["score"])
    axes["image"].tick_params(labelbottom=False)
    return figure, [axes["image"], axes["score"], axes["histogram"]]


def _draw_profiles(
    axes: Sequence[Axes],
    image: FloatArray,
    score: FloatArray,
    mask: BoolArray,
    threshold: Threshold,
    step: float,
    units: str,
    quantity: str,
) -> None:
    above, below = axes
    above.plot(step * np.arange(image.size), image.ravel(), color="black", lw=1)
    above.set_ylabel("Counts")
    draw_profile(below, score, mask, threshold, step, units, quantity)
    for each in axes:
        draw_spans(each, mask, step)
