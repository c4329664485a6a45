"""How large anomalies are that are injected: from faint to plain, or as asked."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.detection import energy_width
from hyperspy_cvae.evaluation._injection import Kind

_SHIFTS = 0.2 * 2.0 ** np.arange(5)  # of the width of fine structure
_HEIGHTS: dict[Kind, tuple[float, ...]] = {  # of the counts
    "peak": (0.1, 0.2, 0.5, 1.0, 2.0),
    "edge": (0.02, 0.05, 0.1, 0.2, 0.5),
}


def shift_sizes(
    sizes: Sequence[float] | None,
    channels: NDArray[np.bool_],
    dispersion: float,
    name: str = "sizes",
) -> NDArray[np.float64]:
    """Return shifts in eV as whole channels make them, each once and rising.

    Parameters
    ----------
    sizes
        In eV. If not given, five from 0.3 to 4.8 eV; less in ranges below 37.5 eV.
    channels
        Boolean ``(energy,)``: the range in which structure is moved.
    dispersion
        Energy per channel in eV.
    name
        What the user calls the sizes.

    Raises
    ------
    ValueError
        If a size is no number or negative, less than half a channel, or as wide as the range.

    Examples
    --------
    >>> shift_sizes(None, np.ones(100, bool), 0.5)
    array([0.5, 1. , 2.5, 5. ])
    >>> shift_sizes([0.9, 2.1], np.ones(100, bool), 0.5)
    array([1., 2.])
    """
    first, last = np.flatnonzero(channels)[[0, -1]]
    width = int(last - first + 1)
    if sizes is None:
        shifts = np.maximum(1, np.rint(_SHIFTS * energy_width(dispersion, width)))
    else:
        asked = _checked(sizes, name)
        shifts = np.rint(asked / dispersion)
        if (lost := (shifts == 0) & (asked > 0)).any():
            raise ValueError(
                f"{name} holds {asked[lost][0]:g} eV, but shifts are whole channels of "
                f"{dispersion:g} eV: ask for no less than one."
            )
        if shifts.max() >= width:
            raise ValueError(
                f"{name} holds {asked.max():g} eV, but the signal range is {width * dispersion:g} "
                "eV wide: ask for smaller shifts, or widen signal_range."
            )
    return np.unique(shifts) * dispersion


def relative_sizes(sizes: Sequence[float] | None, kind: Kind) -> NDArray[np.float64]:
    """Return heights relative to the counts, each once and rising.

    If none are given, five from 0.1 to 2 for peaks, and from 0.02 to 0.5 for edges.

    Raises
    ------
    ValueError
        If a size is no number or negative.
    """
    return np.unique(_checked(_HEIGHTS[kind] if sizes is None else sizes, "sizes"))


def _checked(sizes: Sequence[float], name: str) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(sizes, dtype=float)
    except (TypeError, ValueError):
        numbers = np.full(1, np.nan)
    if numbers.ndim != 1 or not numbers.size or not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise ValueError(
            f"{name} is {sizes!r}: give a sequence of numbers that are not below 0, such as "
            "(0.5, 1, 2)."
        )
    return numbers
