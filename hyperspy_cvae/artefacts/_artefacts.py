"""All artefacts of a scan, by their kinds."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.artefacts._channels import constant_channels, noisy_channels
from hyperspy_cvae.artefacts._hits import Hits, find_hits
from hyperspy_cvae.artefacts._pixels import brightness_jumps, dead_pixels, measures, noisy_pixels
from hyperspy_cvae.blocks import AnyCube

_COMMONLY_CLIPPED = 0.01  # of the pixels: more is the camera's limit in a bright peak

HIT, DEAD, SATURATED, NOISY = "X-ray hit", "dead pixel", "saturated pixel", "noisy pixel"
BRIGHTNESS, ROW = "brightness jump", "row jump"

UNUSABLE = (DEAD, SATURATED, NOISY)
"""Kinds of pixels that are neither trained on nor judged."""

NOISY_CHANNEL, CONSTANT_CHANNEL = "noisy channel", "constant channel"


class Artefacts(NamedTuple):
    """What is wrong with a scan, found in its counts alone.

    Attributes
    ----------
    hits
        X-ray hits, which are repaired.
    pixels
        Boolean maps ``(rows, columns)`` by kind. Those of the kinds in :data:`UNUSABLE` hold no
        measurement, and are neither trained on nor judged.
    factor
        How many times as bright as those around them pixels and rows are that jump in brightness,
        ``(rows, columns)``; NaN elsewhere.
    channels
        Channels by kind, ``(number,)``. Noisy ones are not compared.
    """

    hits: Hits
    pixels: dict[str, NDArray[np.bool_]]
    factor: NDArray[np.float64]
    channels: dict[str, NDArray[np.intp]]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Pixels with an artefact of any kind."""
        result: NDArray[np.bool_] = np.any(list(self.pixels.values()), axis=0)
        return result

    @property
    def unusable(self) -> NDArray[np.bool_]:
        """Pixels that hold no measurement."""
        result: NDArray[np.bool_] = np.any([self.pixels[each] for each in UNUSABLE], axis=0)
        return result

    @property
    def unsteady(self) -> NDArray[np.intp]:
        """Channels that are not to be compared."""
        return self.channels[NOISY_CHANNEL]


def find_artefacts(
    cube: AnyCube, judged: NDArray[np.bool_], alive: NDArray[np.bool_]
) -> tuple[Artefacts, AnyCube]:
    """Return the artefacts of a scan, and its counts without X-ray hits.

    Parameters
    ----------
    cube
        Counts ``(rows, columns, energy)``, finite; left as they are. A dask array is read a few
        times.
    judged
        Pixels that hold numbers, ``(rows, columns)``.
    alive
        Channels that hold numbers, ``(energy,)``.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(50.0, (20, 20, 100)).astype(np.float32)
    >>> counts[3, 4], counts[8, 2, 40] = 0, 400
    >>> everywhere, everything = np.ones((20, 20), bool), np.ones(100, bool)
    >>> found, _ = find_artefacts(counts, everywhere, everything)
    >>> {kind: int(pixels.sum()) for kind, pixels in found.pixels.items() if pixels.any()}
    {'X-ray hit': 1, 'dead pixel': 1}
    """
    found = measures(cube)
    dead = dead_pixels(found.total, judged)
    clipped = found.clipped & judged
    if clipped.mean() > _COMMONLY_CLIPPED:
        clipped[:] = False
    noisy = noisy_pixels(cube, found, judged & ~dead & ~clipped)
    usable = judged & ~dead & ~clipped & ~noisy
    bright, rows = brightness_jumps(cube, found, usable)
    hits, repaired = find_hits(cube, found.total)
    pixels = {
        HIT: hits.pixels & usable,
        DEAD: dead,
        SATURATED: clipped,
        NOISY: noisy,
        BRIGHTNESS: np.isfinite(bright),
        ROW: np.isfinite(rows),
    }
    channels = {
        NOISY_CHANNEL: noisy_channels(repaired, usable, alive),
        CONSTANT_CHANNEL: constant_channels(cube, usable, alive),
    }
    return Artefacts(hits, pixels, np.fmax(bright, rows), channels), repaired
