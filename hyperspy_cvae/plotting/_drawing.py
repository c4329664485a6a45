"""What the figures are drawn with: colours, maps, outlines, scale bars and histograms."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from hyperspy_cvae.detection import Threshold

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]


MAP = "cividis"
# Vermilion, grey and a light grey are told apart by all readers, on paper, and from cividis.
ANOMALOUS = "#d55e00"
BULK = "#7f7f7f"
NOT_JUDGED = "#d9d9d9"
PHASE = "#56b4e9"  # sky blue
ARTEFACT = "#e7298a"  # magenta, which is in no part of cividis

_LENGTHS = {"m", "mm", "um", "µm", "μm", "nm", "pm", "Å", "A", "angstrom", "micron"}
_SHOWN_PERCENTILES = (0.5, 99.5)


def as_planes(**arrays: NDArray[Any]) -> list[NDArray[Any]]:
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


def calibrated(scale: tuple[float, float], units: str) -> tuple[tuple[float, float], str]:
    """Return the step between rows and columns and its units: pixels where it is no length."""
    step = (abs(float(scale[0])), abs(float(scale[1])))
    if units not in _LENGTHS or not all(np.isfinite(step)) or 0 in step:
        return (1.0, 1.0), "px"
    return step, {"A": "Å", "angstrom": "Å", "micron": "µm", "um": "µm"}.get(units, units)


def map_extent(
    shape: tuple[int, ...], step: tuple[float, float]
) -> tuple[float, float, float, float]:
    return 0.0, shape[1] * step[1], shape[0] * step[0], 0.0


def colour_limits(values: NDArray[Any]) -> tuple[float, float]:
    """Return limits of a colour scale that a few outliers do not stretch."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.percentile(finite, _SHOWN_PERCENTILES))
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = 0.05 * abs(low) or 0.05
        return low - margin, high + margin
    return low, high


def draw_map(
    axes: Axes, score: FloatArray, step: tuple[float, float], limits: tuple[float, float]
) -> AxesImage:
    axes.set_facecolor(NOT_JUDGED)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("light grey: not judged" if np.isnan(score).any() else "", fontsize="small")
    return axes.imshow(
        np.ma.masked_invalid(score),
        cmap=MAP,
        vmin=limits[0],
        vmax=limits[1],
        extent=map_extent(score.shape, step),
        interpolation="nearest",
    )


def draw_outline(
    axes: Axes,
    mask: BoolArray,
    step: tuple[float, float],
    colour: str = ANOMALOUS,
    width: float = 1.0,
) -> None:
    """Draw the borders between the pixels inside and outside the mask."""
    if segments := outline(mask, step):
        lines = LineCollection(segments, colors=colour, linewidths=width, capstyle="round")
        axes.add_collection(lines, autolim=False)


def outline(mask: BoolArray, step: tuple[float, float]) -> list[FloatArray]:
    """Return the borders between the pixels inside and outside a mask, two points ``(x, y)`` each.

    The first pixel begins at 0.
    """
    padded = np.pad(np.asarray(mask, bool), 1)
    rows, columns = np.nonzero(padded[:, 1:] != padded[:, :-1])
    upright = [((c, r - 1), (c, r)) for r, c in zip(rows, columns, strict=True)]
    rows, columns = np.nonzero(padded[1:] != padded[:-1])
    level = [((c - 1, r), (c, r)) for r, c in zip(rows, columns, strict=True)]
    borders = np.reshape(np.asarray(upright + level, float), (-1, 2, 2))
    return list(borders * (step[1], step[0]))


def add_colour_bar(
    figure: Figure | SubFigure,
    axes: list[Axes],
    picture: AxesImage,
    score: FloatArray,
    quantity: str,
) -> None:
    low, high = picture.get_clim()
    finite = score[np.isfinite(score)]
    if finite.size == 0:
        return
    below, above = bool((finite < low).any()), bool((finite > high).any())
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]
    figure.colorbar(picture, ax=axes, label=quantity, extend=extend, shrink=0.9)


def draw_scale_bar(
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


def draw_profile(
    axes: Axes,
    score: FloatArray,
    mask: BoolArray,
    threshold: Threshold,
    step: float,
    units: str,
    quantity: str,
) -> None:
    position, profile, anomalous = step * np.arange(score.size), score.ravel(), mask.ravel()
    axes.plot(position, profile, color=BULK, lw=1, marker=".", ms=4)
    axes.plot(position[anomalous], profile[anomalous], ".", color=ANOMALOUS, ms=7)
    if np.isfinite(threshold.value):
        axes.axhline(threshold.value, **_threshold_line(threshold))
    axes.set_xlim(-step / 2, step * (score.size - 0.5))
    axes.set_xlabel("Position (px)" if units == "px" else f"Position ({units})")
    axes.set_ylabel(quantity)


def draw_spans(axes: Axes, mask: BoolArray, step: float) -> None:
    """Shade the stretches of a line that are inside the mask."""
    edges = np.flatnonzero(np.diff(np.pad(mask.ravel().astype(np.int8), 1)))
    for start, stop in edges.reshape(-1, 2):
        axes.axvspan((start - 0.5) * step, (stop - 0.5) * step, color=ANOMALOUS, alpha=0.2, lw=0)


def draw_histogram(
    axes: Axes,
    score: FloatArray,
    special: BoolArray,
    threshold: Threshold,
    quantity: str,
    bins: FloatArray | None = None,
) -> None:
    """Draw the distribution of all scores and, in front of it, of those that are special."""
    judged = np.isfinite(score)
    axes.set_xlabel(quantity)
    axes.set_ylabel("Pixels")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    if not judged.any():
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no pixel was judged", ha="center", transform=axes.transAxes)
        return
    bins = histogram_bins(score) if bins is None else bins
    axes.hist(score[judged], bins=list(bins), color=BULK)
    axes.hist(score[judged & special], bins=list(bins), color=ANOMALOUS)
    axes.set_yscale("log")
    top = np.histogram(score[judged], bins)[0].max()
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


def histogram_bins(score: FloatArray) -> FloatArray:
    finite = score[np.isfinite(score)]
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


def share_label(score: FloatArray, mask: BoolArray) -> str:
    judged = int(np.isfinite(score).sum())
    found = int(np.count_nonzero(mask))
    if judged == 0:
        return "no pixel judged"
    if found == 0:
        return f"none of {judged} pixels anomalous"
    percent = 100 * found / judged
    digits = f"{percent:.2g}" if percent < 10 else f"{percent:.0f}"
    return f"{found} of {judged} pixels anomalous ({digits} %)"


def shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
