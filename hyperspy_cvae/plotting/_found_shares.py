"""Figures of what is found of injected anomalies, over their size."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import NullLocator

from hyperspy_cvae.plotting._comparison import Panel
from hyperspy_cvae.plotting._drawing import (
    FloatArray,
    add_colour_bar,
    as_planes,
    calibrated,
    colour_limits,
    draw_map,
    draw_outline,
    draw_profile,
    draw_scale_bar,
    share_label,
    shortened,
)

# Okabe and Ito's colours, which all readers tell apart; the first is that of what is anomalous.
_STYLES = (
    ("#d55e00", "o", "solid"),
    ("#0072b2", "s", "dashed"),
    ("#009e73", "D", "dashdot"),
    ("#cc79a7", "^", "dotted"),
    ("#000000", "v", (0, (5, 1))),
    ("#56b4e9", "P", (0, (3, 1, 1, 1))),
)
_COLUMNS = 3


class FoundShares(NamedTuple):
    """What is found of anomalies of several sizes."""

    name: str
    sizes: FloatArray
    """Rising."""
    found: FloatArray
    """Share of the discs that is found, 0 to 1."""
    precision: FloatArray
    """Average precision, 0 to 1."""
    limit: float
    """Size from which on they are found; NaN if there is none."""


def plot_detection_limit(
    curves: Sequence[FoundShares], *, size_label: str, title: str = ""
) -> Figure:
    """Draw the share of the discs that is found, and the average precision, over their size.

    Parameters
    ----------
    curves
        One for each line.
    size_label
        What the sizes are, and their unit.
    title
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Made with pyplot, so that it appears where figures appear.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    _draw_curves(axes, curves, size_label)
    for curve, (colour, *_) in zip(curves, _STYLES, strict=False):
        if np.isfinite(curve.limit):
            axes[0].axvline(curve.limit, color=colour, lw=1, alpha=0.6)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    if title:
        figure.suptitle(shortened(title, 90), fontsize="large", parse_math=False)
    return figure


def plot_detectors(
    panels: Sequence[Panel],
    curves: Sequence[FoundShares],
    *,
    quantity: str = "PCC",
    scale: tuple[float, float] = (1.0, 1.0),
    units: str = "",
    title: str = "",
) -> Figure:
    """Draw the maps of several detectors, and below what each finds of injected shifts.

    All maps share one colour scale.

    Parameters
    ----------
    panels
        One ``(title, score, mask, threshold)`` for each detector; see :func:`plot_comparison`.
    curves
        One for each detector.
    quantity
        What the scores are, such as the Pearson correlation (PCC).
    scale, units
        Calibration; see :func:`plot_maps`.
    title
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Made with pyplot, so that it appears where figures appear.
    """
    step, units = calibrated(scale, units)
    shape = as_planes(score=panels[0][1])[0].shape
    rows = -(-len(panels) // _COLUMNS)
    ratio = shape[0] * step[0] / (shape[1] * step[1])
    height = rows * (float(np.clip(3.2 * ratio, 1.2, 4.5)) + 0.6)
    figure = plt.figure(figsize=(11, height + 4), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(height, 4)).ravel()
    _draw_panels(above, panels, step, units, quantity)
    axes = below.subplots(1, 2)
    _draw_curves(axes, curves, "Shift (eV)")
    handles, labels = axes[0].get_legend_handles_labels()
    below.legend(handles, labels, loc="outside lower center", ncols=6, fontsize="small")
    if title:
        figure.suptitle(shortened(title, 90), fontsize="large", parse_math=False)
    return figure


def _draw_panels(
    figure: SubFigure,
    panels: Sequence[Panel],
    step: tuple[float, float],
    units: str,
    quantity: str,
) -> None:
    rows = -(-len(panels) // _COLUMNS)
    axes = figure.subplots(rows, _COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
    planes = [as_planes(score=score, mask=mask) for _, score, mask, _ in panels]
    every_score = np.concatenate([score.ravel() for score, _ in planes])
    is_line = min(planes[0][0].shape) == 1
    for each, (name, _, _, threshold), (score, mask) in zip(axes, panels, planes, strict=False):
        each.set_title(f"{name}\n{share_label(score, mask)}", fontsize="medium", parse_math=False)
        if is_line:
            along = step[0] if score.shape[0] > 1 else step[1]
            draw_profile(each, score, mask, threshold, along, units, quantity)
            each.label_outer()
        else:
            picture = draw_map(each, score, step, colour_limits(every_score))
            draw_outline(each, mask, step)
    for each in axes[len(panels) :]:
        each.set_axis_off()
    if not is_line:
        draw_scale_bar(axes[0], planes[0][0].shape, step, units)
        add_colour_bar(figure, list(axes), picture, every_score, quantity)


def _draw_curves(axes: Sequence[Axes], curves: Sequence[FoundShares], size_label: str) -> None:
    """Draw shares on the left, the limits filled, and average precision on the right."""
    sizes = np.unique(np.concatenate([curve.sizes for curve in curves]))
    # Where lines lie on each other, the outer marker shows that there is another one.
    widths = np.linspace(11, 5, len(curves))
    for curve, (colour, marker, dashes), width in zip(curves, _STYLES, widths, strict=False):
        look = {"color": colour, "marker": marker, "ls": dashes, "mfc": "none", "ms": width}
        axes[0].plot(curve.sizes, curve.found, label=curve.name, **look)
        limit = curve.sizes == curve.limit
        axes[0].plot(curve.sizes[limit], curve.found[limit], marker, color=colour, ms=width)
        axes[1].plot(curve.sizes, curve.precision, **look)
    axes[0].set_ylabel("Share of the discs found")
    axes[0].set_title("filled: from here on half of the discs or more are found", fontsize="small")
    axes[1].set_ylabel("Average precision")
    for each in axes:
        each.set_xlabel(size_label)
        each.set_ylim(-0.05, 1.05)
        each.grid(alpha=0.3)
        if sizes[0] > 0 and len(sizes) > 1:
            each.set_xscale("log")
        each.set_xticks(sizes, [f"{size:.2g}" for size in sizes])
        each.xaxis.set_minor_locator(NullLocator())
