"""The figure of several detectors side by side."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from hyperspy_cvae.detection import Threshold
from hyperspy_cvae.plotting._drawing import (
    ANOMALOUS,
    BULK,
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
    histogram_bins,
    share_label,
    shortened,
)

Panel = tuple[str, FloatArray, BoolArray, Threshold]


def plot_comparison(
    panels: Sequence[Panel],
    truth: BoolArray | None = None,
    *,
    quantity: str = "PCC",
    scale: tuple[float, float] = (1.0, 1.0),
    units: str = "",
    title: str = "",
) -> Figure:
    """Draw the maps of several detectors of one spectrum image side by side.

    All maps share one colour scale and all histograms one axis.

    Parameters
    ----------
    panels
        One ``(title, score, mask, threshold)`` for each detector; see :func:`plot_maps`.
    truth
        True where a pixel is known to be anomalous. If given, it is outlined in the maps and its
        pixels are the ones told apart in the histograms.
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

    Raises
    ------
    ValueError
        If there is no panel, or if arrays differ in shape or are empty.
    """
    if not panels:
        raise ValueError(
            "panels is empty: give a (title, score, mask, threshold) for each detector."
        )
    planes = [as_planes(score=score, mask=mask) for _, score, mask, _ in panels]
    known = None if truth is None else as_planes(score=planes[0][0], truth=truth)[1]
    as_planes(
        **{f"score of {panel[0]}": plane[0] for panel, plane in zip(panels, planes, strict=True)}
    )
    step, units = calibrated(scale, units)
    every_score = np.concatenate([score.ravel() for score, _ in planes])
    limits = colour_limits(every_score)
    is_line = min(planes[0][0].shape) == 1
    figure, axes = plt.subplots(
        2,
        len(panels),
        figsize=(0.6 + 3.9 * len(panels), 6.6),
        height_ratios=(1.0 if is_line else 1.6, 1),
        squeeze=False,
        sharey="row",
        layout="constrained",
    )
    for column, ((name, _, _, threshold), (score, mask)) in enumerate(
        zip(panels, planes, strict=True)
    ):
        above, below = axes[:, column]
        above.set_title(f"{name}\n{share_label(score, mask)}", parse_math=False)
        if is_line:
            along = step[0] if score.shape[0] > 1 else step[1]
            draw_profile(above, score, mask, threshold, along, units, quantity)
            if known is not None:
                draw_spans(above, known, along)
        else:
            picture = draw_map(above, score, step, limits)
            if known is not None:
                for colour, width in (("black", 2.8), ("white", 2.0)):
                    draw_outline(above, known, step, colour, width)
            draw_outline(above, mask, step)
        draw_histogram(
            below,
            score,
            mask if known is None else known,
            threshold,
            quantity,
            histogram_bins(every_score),
        )
        if column:
            below.set_ylabel("")
    if not is_line:
        draw_scale_bar(axes[0, 0], planes[0][0].shape, step, units)
        add_colour_bar(figure, list(axes[0]), picture, every_score, quantity)
    _add_key(figure, known is not None, is_line)
    if title:
        figure.suptitle(shortened(title, 90), fontsize="large", parse_math=False)
    return figure


def _add_key(figure: Figure, has_truth: bool, is_line: bool) -> None:
    """Say below the figure what the outlines and the colours of the bars are."""
    if is_line or not has_truth:
        return
    rim = withStroke(linewidth=3.8, foreground="black")
    handles = [
        Line2D([], [], color=ANOMALOUS, lw=1.5, label="found (outline)"),
        Line2D([], [], color="white", lw=2.6, path_effects=[rim], label="truth (outline)"),
        Rectangle((0, 0), 1, 1, color=BULK, label="all pixels"),
        Rectangle((0, 0), 1, 1, color=ANOMALOUS, label="truly anomalous pixels"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize="small")
