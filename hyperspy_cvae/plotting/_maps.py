"""Figures of PCC maps, line profiles and histograms."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from hyperspy_cvae.detection import Threshold

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]
Panel = tuple[str, FloatArray, BoolArray, Threshold]

_MAP = "cividis"
# Vermilion, grey and a light grey are told apart by all readers, on paper, and from cividis.
_ANOMALOUS = "#d55e00"
_BULK = "#7f7f7f"
_NOT_JUDGED = "#d9d9d9"

_LENGTHS = {"m", "mm", "um", "µm", "μm", "nm", "pm", "Å", "A", "angstrom", "micron"}
_SHOWN_PERCENTILES = (0.5, 99.5)


def plot_maps(
    image: FloatArray,
    pcc: FloatArray,
    mask: BoolArray,
    threshold: Threshold,
    *,
    scale: tuple[float, float] = (1.0, 1.0),
    units: str = "",
    title: str = "",
    signal_range_label: str = "",
) -> Figure:
    """Draw what was found in one spectrum image: its image, the PCC map and its histogram.

    A line scan (one row or one column) is drawn as profiles over the position.

    Parameters
    ----------
    image
        Sum of the counts over energy, shape ``(rows, columns)`` or, of a line, ``(positions,)``.
    pcc
        Pearson correlation of each spectrum and its reconstruction, of the same shape; NaN where
        a pixel was not judged.
    mask
        True in the anomalous pixels, of the same shape.
    threshold
        The threshold that gave ``mask``, or that was refused.
    scale
        Distance between rows and between columns in ``units``.
    units
        Units of ``scale``. If they are no length, distances are given in pixels.
    title
        Title of the figure.
    signal_range_label
        The energy range of the PCC, such as ``"690-730 eV"``.

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
    >>> image, pcc = rng.poisson(100, (16, 20)), rng.normal(0.9, 0.02, (16, 20))
    >>> pcc[4:7, 5:9] -= 0.4
    >>> threshold = fixed_threshold(0.7)
    >>> figure = plot_maps(
    ...     image, pcc, anomalous(pcc, threshold), threshold, scale=(0.5, 0.5), units="nm"
    ... )
    >>> [axes.get_title() for axes in figure.axes[:3]]
    ['Sum over energy', 'PCC', '12 of 320 pixels anomalous (3.8 %)']
    >>> plt.close(figure)
    """
    image, pcc, mask = _planes(image=image, pcc=pcc, mask=mask)
    step, units = _calibration(scale, units)
    heading = f"PCC, {signal_range_label}" if signal_range_label else "PCC"
    if min(pcc.shape) == 1:
        along = step[0] if pcc.shape[0] > 1 else step[1]
        figure, axes = _line_axes()
        _draw_profiles(axes[:2], image, pcc, mask, threshold, along, units)
    else:
        figure, axes = _map_axes(pcc.shape, step)
        picture = axes[0].imshow(image, cmap="gray", extent=_extent(image.shape, step))
        picture.set_clim(*_limits(image))
        _draw_scale_bar(axes[0], image.shape, step, units)
        picture = _draw_map(axes[1], pcc, step, _limits(pcc))
        _draw_outline(axes[1], mask, step)
        _add_colour_bar(figure, [axes[1]], picture, pcc)
    axes[0].set_title("Sum over energy")
    axes[1].set_title(heading)
    _draw_histogram(axes[2], pcc, mask, threshold)
    axes[2].set_title(_share(pcc, mask))
    if title:
        figure.suptitle(_shortened(title, 90), fontsize="large", parse_math=False)
    return figure


def plot_comparison(
    panels: Sequence[Panel],
    truth: BoolArray | None = None,
    *,
    scale: tuple[float, float] = (1.0, 1.0),
    units: str = "",
    title: str = "",
) -> Figure:
    """Draw the maps of several detectors of one spectrum image side by side.

    All maps share one colour scale and all histograms one axis.

    Parameters
    ----------
    panels
        One ``(title, pcc, mask, threshold)`` for each detector; see :func:`plot_maps`.
    truth
        True where a pixel is known to be anomalous. If given, it is outlined in the maps and its
        pixels are the ones told apart in the histograms.
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
        raise ValueError("panels is empty: give a (title, pcc, mask, threshold) for each detector.")
    planes = [_planes(pcc=pcc, mask=mask) for _, pcc, mask, _ in panels]
    known = None if truth is None else _planes(pcc=planes[0][0], truth=truth)[1]
    _planes(**{f"pcc of {panel[0]}": plane[0] for panel, plane in zip(panels, planes, strict=True)})
    step, units = _calibration(scale, units)
    every_pcc = np.concatenate([pcc.ravel() for pcc, _ in planes])
    limits = _limits(every_pcc)
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
    for column, ((name, _, _, threshold), (pcc, mask)) in enumerate(
        zip(panels, planes, strict=True)
    ):
        above, below = axes[:, column]
        above.set_title(f"{name}\n{_share(pcc, mask)}", parse_math=False)
        if is_line:
            along = step[0] if pcc.shape[0] > 1 else step[1]
            _draw_profile(above, pcc, mask, threshold, along, units)
            if known is not None:
                _draw_spans(above, known, along)
        else:
            picture = _draw_map(above, pcc, step, limits)
            if known is not None:
                for colour, width in (("black", 2.8), ("white", 2.0)):
                    _draw_outline(above, known, step, colour, width)
            _draw_outline(above, mask, step)
        _draw_histogram(below, pcc, mask if known is None else known, threshold, _bins(every_pcc))
        if column:
            below.set_ylabel("")
    if not is_line:
        _draw_scale_bar(axes[0, 0], planes[0][0].shape, step, units)
        _add_colour_bar(figure, list(axes[0]), picture, every_pcc)
    _add_key(figure, known is not None, is_line)
    if title:
        figure.suptitle(_shortened(title, 90), fontsize="large", parse_math=False)
    return figure


def _planes(**arrays: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the arrays as (rows, columns) after checking that they are of one shape."""
    (first, reference), *others = arrays.items()
    shape = np.shape(reference)
    if len(shape) not in (1, 2) or 0 in shape:
        raise ValueError(
            f"{first} has the shape {shape}; it must be (rows, columns), or (positions,) of a line."
        )
    for name, array in others:
        if np.shape(array) != shape:
            raise ValueError(
                f"{name} has the shape {np.shape(array)}, but {first} has {shape}: give maps of "
                "the same scan."
            )
    return [np.atleast_2d(array) for array in arrays.values()]


def _calibration(scale: tuple[float, float], units: str) -> tuple[tuple[float, float], str]:
    """Return the step between rows and columns and its units: pixels where it is no length."""
    step = (abs(float(scale[0])), abs(float(scale[1])))
    if units not in _LENGTHS or not all(np.isfinite(step)) or 0 in step:
        return (1.0, 1.0), "px"
    return step, {"A": "Å", "angstrom": "Å", "micron": "µm", "um": "µm"}.get(units, units)


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
        [["image", "histogram"], ["pcc", "histogram"]],
        figsize=(10, 4.2),
        width_ratios=(1.8, 1),
        layout="constrained",
    )
    axes["image"].sharex(axes["pcc"])
    axes["image"].tick_params(labelbottom=False)
    return figure, [axes["image"], axes["pcc"], axes["histogram"]]


def _extent(shape: tuple[int, ...], step: tuple[float, float]) -> tuple[float, float, float, float]:
    return 0.0, shape[1] * step[1], shape[0] * step[0], 0.0


def _limits(values: NDArray[Any]) -> tuple[float, float]:
    """Return limits of a colour scale that a few outliers do not stretch."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.percentile(finite, _SHOWN_PERCENTILES))
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = 0.05 * abs(low) or 0.05
        return low - margin, high + margin
    return low, high


def _draw_map(
    axes: Axes, pcc: FloatArray, step: tuple[float, float], limits: tuple[float, float]
) -> AxesImage:
    axes.set_facecolor(_NOT_JUDGED)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("light grey: not judged" if np.isnan(pcc).any() else "", fontsize="small")
    return axes.imshow(
        np.ma.masked_invalid(pcc),
        cmap=_MAP,
        vmin=limits[0],
        vmax=limits[1],
        extent=_extent(pcc.shape, step),
        interpolation="nearest",
    )


def _draw_outline(
    axes: Axes,
    mask: BoolArray,
    step: tuple[float, float],
    colour: str = _ANOMALOUS,
    width: float = 1.0,
) -> None:
    """Draw the borders between the pixels inside and outside the mask."""
    padded = np.pad(np.asarray(mask, bool), 1)
    rows, columns = np.nonzero(padded[:, 1:] != padded[:, :-1])
    upright = [((c, r - 1), (c, r)) for r, c in zip(rows, columns, strict=True)]
    rows, columns = np.nonzero(padded[1:] != padded[:-1])
    level = [((c - 1, r), (c, r)) for r, c in zip(rows, columns, strict=True)]
    if borders := upright + level:
        segments = np.asarray(borders, float) * (step[1], step[0])
        lines = LineCollection(list(segments), colors=colour, linewidths=width, capstyle="round")
        axes.add_collection(lines, autolim=False)


def _add_colour_bar(figure: Figure, axes: list[Axes], picture: AxesImage, pcc: FloatArray) -> None:
    low, high = picture.get_clim()
    finite = pcc[np.isfinite(pcc)]
    if finite.size == 0:
        return
    below, above = bool((finite < low).any()), bool((finite > high).any())
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]
    figure.colorbar(picture, ax=axes, label="PCC", extend=extend, shrink=0.9)


def _draw_scale_bar(
    axes: Axes, shape: tuple[int, ...], step: tuple[float, float], units: str
) -> None:
    """Draw a bar of a round length into the lower left corner, readable on any image."""
    axes.set_xticks([])
    axes.set_yticks([])
    height, width = shape[0] * step[0], shape[1] * step[1]
    longest = max(0.3 * width, min(0.7 * width, 0.12 * height))
    length = _round_length(longest, whole=units == "px")
    left, bottom, thickness = 0.04 * width, 0.95 * height, 0.018 * max(height, 0.4 * width)
    axes.add_patch(
        Rectangle((left, bottom), length, -thickness, facecolor="white", edgecolor="black", lw=0.6)
    )
    axes.annotate(
        f"{length:g} {units}",
        (left + length / 2, bottom - thickness),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        va="bottom",
        color="white",
        bbox={"boxstyle": "round,pad=0.15", "facecolor": "black", "alpha": 0.55, "lw": 0},
        fontsize="small",
    )


def _round_length(longest: float, whole: bool) -> float:
    """Return the largest of 1, 2, 5, 10, 20, ... that is at most the length given."""
    decade = 10.0 ** np.floor(np.log10(longest))
    length = float(max(step * decade for step in (1, 2, 5) if step * decade <= longest * 1.000001))
    return max(1.0, length) if whole else length


def _draw_profiles(
    axes: Sequence[Axes],
    image: FloatArray,
    pcc: FloatArray,
    mask: BoolArray,
    threshold: Threshold,
    step: float,
    units: str,
) -> None:
    above, below = axes
    above.plot(step * np.arange(image.size), image.ravel(), color="black", lw=1)
    above.set_ylabel("Counts")
    _draw_profile(below, pcc, mask, threshold, step, units)
    for each in axes:
        _draw_spans(each, mask, step)


def _draw_profile(
    axes: Axes,
    pcc: FloatArray,
    mask: BoolArray,
    threshold: Threshold,
    step: float,
    units: str,
) -> None:
    position, profile, anomalous = step * np.arange(pcc.size), pcc.ravel(), mask.ravel()
    axes.plot(position, profile, color=_BULK, lw=1, marker=".", ms=4)
    axes.plot(position[anomalous], profile[anomalous], ".", color=_ANOMALOUS, ms=7)
    if np.isfinite(threshold.value):
        axes.axhline(threshold.value, **_threshold_line(threshold))
    axes.set_xlim(-step / 2, step * (pcc.size - 0.5))
    axes.set_xlabel("Position (px)" if units == "px" else f"Position ({units})")
    axes.set_ylabel("PCC")


def _draw_spans(axes: Axes, mask: BoolArray, step: float) -> None:
    """Shade the stretches of a line that are inside the mask."""
    edges = np.flatnonzero(np.diff(np.pad(mask.ravel().astype(np.int8), 1)))
    for start, stop in edges.reshape(-1, 2):
        axes.axvspan((start - 0.5) * step, (stop - 0.5) * step, color=_ANOMALOUS, alpha=0.2, lw=0)


def _draw_histogram(
    axes: Axes,
    pcc: FloatArray,
    special: BoolArray,
    threshold: Threshold,
    bins: FloatArray | None = None,
) -> None:
    """Draw the distribution of all scores and, in front of it, of those that are special."""
    judged = np.isfinite(pcc)
    axes.set_xlabel("PCC")
    axes.set_ylabel("Pixels")
    if not judged.any():
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no pixel was judged", ha="center", transform=axes.transAxes)
        return
    bins = _bins(pcc) if bins is None else bins
    axes.hist(pcc[judged], bins=list(bins), color=_BULK)
    axes.hist(pcc[judged & special], bins=list(bins), color=_ANOMALOUS)
    axes.set_yscale("log")
    top = np.histogram(pcc[judged], bins)[0].max()
    # Twice the range of the bars on the log axis, so that text has room above most of them.
    axes.set_ylim(0.7, 4.0 * max(top, 2))
    if np.isfinite(threshold.value):
        axes.axvline(threshold.value, **_threshold_line(threshold))
    axes.annotate(
        threshold.label,
        (0.03, 0.96),
        xycoords="axes fraction",
        ha="left",
        va="top",
        fontsize="small",
        bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "lw": 0},
    )


def _bins(pcc: FloatArray) -> FloatArray:
    finite = pcc[np.isfinite(pcc)]
    if finite.size == 0:
        return np.linspace(0.0, 1.0, 11)
    low, high = float(finite.min()), float(finite.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = 0.05 * abs(low) or 0.05
        return np.linspace(low - margin, high + margin, 12)
    return np.linspace(low, high, int(np.clip(2 * np.sqrt(finite.size), 10, 100)) + 1)


def _threshold_line(threshold: Threshold) -> dict[str, Any]:
    style = (0, (4, 3)) if threshold.unimodal else "solid"
    return {"color": "black", "lw": 1.1, "ls": style}


def _share(pcc: FloatArray, mask: BoolArray) -> str:
    judged = int(np.isfinite(pcc).sum())
    found = int(np.count_nonzero(mask))
    if judged == 0:
        return "no pixel judged"
    if found == 0:
        return f"none of {judged} pixels anomalous"
    percent = 100 * found / judged
    digits = f"{percent:.2g}" if percent < 10 else f"{percent:.0f}"
    return f"{found} of {judged} pixels anomalous ({digits} %)"


def _add_key(figure: Figure, has_truth: bool, is_line: bool) -> None:
    """Say below the figure what the outlines and the colours of the bars are."""
    if is_line or not has_truth:
        return
    rim = withStroke(linewidth=3.8, foreground="black")
    handles = [
        Line2D([], [], color=_ANOMALOUS, lw=1.5, label="found (outline)"),
        Line2D([], [], color="white", lw=2.6, path_effects=[rim], label="truth (outline)"),
        Rectangle((0, 0), 1, 1, color=_BULK, label="all pixels"),
        Rectangle((0, 0), 1, 1, color=_ANOMALOUS, label="truly anomalous pixels"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize="small")


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
