"""Bands of the energy axis, over which spectra are looked at one part after the other."""

from functools import partial

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.blocks import AnyCube, Cube, blockwise

_FINE = 190  # channels: of an axis of a few hundred eV, each is as wide as fine structure
_BANDS = 8  # on an axis of a few hundred eV an edge and its fine structure fit into a band


def fine_width(channels: int) -> int:
    """Return how many channels make one that is as wide as fine structure.

    Examples
    --------
    >>> fine_width(1312)
    7
    """
    return max(1, round(channels / _FINE))


def binned(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return sums over ``width`` channels, ``(..., energy // width)``, without those left over.

    They are of the type of the values.

    Examples
    --------
    >>> binned(np.arange(7, dtype=np.float32), 3)
    array([ 3., 12.], dtype=float32)
    """
    whole = values.shape[-1] // width * width
    parts = values[..., :whole].reshape(*values.shape[:-1], -1, width)
    return np.einsum("...w->...", parts)  # many times faster than sum over so short an axis


def binned_blocks(cube: Cube, width: int) -> da.Array:
    """Return such sums of a cube block by block; nothing is computed yet."""
    return blockwise(partial(binned, width=width), cube, channels=cube.shape[2] // width)


def channels_of(cube: AnyCube, channels: NDArray[np.bool_]) -> AnyCube:
    """Return some channels of a cube: a view of it if they are neighbours, else a copy.

    Examples
    --------
    >>> cube = np.zeros((2, 2, 4), np.float32)
    >>> channels = np.array([False, True, True, False])
    >>> channels_of(cube, channels).shape, np.shares_memory(cube, channels_of(cube, channels))
    ((2, 2, 2), True)
    """
    first, last = np.flatnonzero(channels)[[0, -1]]
    if channels[first : last + 1].all():
        return cube[..., first : last + 1]
    return cube[..., channels]


def energy_bands(channels: int) -> NDArray[np.float32]:
    """Return overlapping bands of the energy axis, ``(bands, energy)``.

    A band is a quarter of the axis wide, and those at its ends half of that. It is 1 in its middle
    half and falls to 0 to either side; neighbouring bands overlap by half.

    Examples
    --------
    >>> energy_bands(16)[1]
    array([0., 1., 1., 1., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.],
          dtype=float32)
    """
    width = -(-channels // _BANDS)
    centres = np.arange(0, channels + width, width)
    distance = np.abs(np.arange(channels) - centres[:, np.newaxis]) / width
    bands = np.clip(2 - 2 * distance, 0, 1).astype(np.float32)
    return bands[bands.any(1)]
