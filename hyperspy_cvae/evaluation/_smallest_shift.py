"""What would have been found where nothing was."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube, replaced, spectra_at
from hyperspy_cvae.evaluation._discs import EXCEPTIONS, bright_pixels, disc
from hyperspy_cvae.evaluation._injection import shifted
from hyperspy_cvae.evaluation._rates import smallest_found

_LARGEST_RADIUS = 4.0  # pixels
_SHIFTS = 8
_LARGEST_SHIFT = 0.25  # of the energy range
_ENOUGH_AT_ONCE = 4
_STEPS = np.array([0.7549, 0.5698])  # of the two-dimensional golden ratio, of rows and columns


def smallest_shift(
    cube: Cube,
    scored: Callable[[Cube], NDArray[np.floating]],
    channels: NDArray[np.bool_],
    dispersion: float,
    judged: NDArray[np.bool_],
    limit: float,
) -> tuple[int, float]:
    """Return the smallest shift of all structure in a place that goes below a limit.

    Eight shifts between one channel and a quarter of the energy range are injected into discs
    spread over the scan. Recorded counts are moved to higher energies, and those at the low end of
    the range stay. The scan is then judged as it was before. If four discs or
    more are no more than 2 % of the scan, as many shifts are injected at a time, each in its disc.
    In a smaller scan the smallest is found by bisection, in the disc in its middle: there larger
    shifts are taken to reach the limit if a smaller one does.

    Parameters
    ----------
    cube
        Counts ``(rows, columns, energy)``, finite; left as they are.
    scored
        Returns the map of the scores of such a cube.
    channels
        Channels that are compared, boolean ``(energy,)``.
    dispersion
        Energy per channel in eV.
    judged
        Pixels that are judged, boolean ``(rows, columns)``.
    limit
        Score that a place has to reach.

    Returns
    -------
    width : int
        Of the discs, in pixels.
    shift : float
        In eV: it and all larger ones reach the limit. NaN if none does.
    """
    bright = bright_pixels(cube, channels, judged)
    pixels = np.argwhere(bright)
    radius = min(_LARGEST_RADIUS, max(0.5, np.sqrt(EXCEPTIONS * len(pixels) / np.pi)))
    largest = max(2, int(_LARGEST_SHIFT * channels.sum()))
    shifts = np.unique(np.rint(np.geomspace(1, largest, _SHIFTS)).astype(int))
    # A sequence whose points lie apart from each other, at the nearest pixels that are judged.
    spread = (0.5 + np.arange(len(shifts))[:, None] * _STEPS) % 1 * judged.shape
    places = [pixels[np.square(pixels - point).sum(1).argmin()] for point in spread]
    discs = [bright & disc(judged.shape, place, radius) for place in places]

    def reach(some: NDArray[np.intp], discs: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Return which of some shifts reach the limit, each in its disc."""
        moved = np.any([discs[each] for each in some], axis=0)
        spectra = spectra_at(cube, moved)
        for each in some:
            inside = discs[each][moved]
            spectra[inside] = shifted(spectra[inside], channels, int(shifts[each]))
        scores = scored(replaced(cube, moved, spectra))
        return np.array([np.nanmin(scores[discs[each]]) <= limit for each in some])

    at_once = int(np.clip(EXCEPTIONS * len(pixels) / (np.pi * radius**2), 1, len(shifts)))
    everything = np.arange(len(shifts))
    if at_once >= _ENOUGH_AT_ONCE:
        parts = np.split(everything, everything[at_once::at_once])
        found = np.concatenate([reach(some, discs) for some in parts])
    else:
        one_place = discs[:1] * len(shifts)
        smallest, beyond = 0, len(shifts)
        while smallest < beyond:
            middle = (smallest + beyond) // 2
            if reach(everything[middle : middle + 1], one_place)[0]:
                beyond = middle
            else:
                smallest = middle + 1
        found = everything >= beyond
    return 2 * int(radius) + 1, smallest_found(shifts * dispersion, found.astype(float))
