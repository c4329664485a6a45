"""Tiles that are held out of training to tell when to stop."""

from typing import NamedTuple

import numpy as np


class Tile(NamedTuple):
    """A held-out tile and the shard that sees it."""

    region: tuple[slice, slice]  # of the scan
    shard: tuple[int, int]  # first pixel of the shard around the tile
    within: tuple[slice, slice]  # of that shard


def held_out_tiles(
    use: np.ndarray, shape: tuple[int, int], fraction: float, random: np.random.Generator
) -> list[Tile]:
    """Draw tiles of half a shard that hold about ``fraction`` of the scan.

    At least one is drawn, unless it would hold every usable spectrum. The network sees a tile's
    counts when it looks at a shard around it, but never learns to reproduce them.

    Parameters
    ----------
    use
        Spectra that may be trained on, boolean ``(rows, columns)``. A tile holds some, but not
        the last of them.
    shape
        Rows and columns of a shard.
    fraction
        Fraction of the scan's pixels.
    random
        Source of the draw.
    """
    scan = np.array(use.shape)
    size = (np.array(shape) + 1) // 2
    if np.all(size == scan):  # one single pixel
        return []
    grid = np.array(
        [
            (r, c)
            for r in range(0, scan[0] - size[0] + 1, size[0])
            for c in range(0, scan[1] - size[1] + 1, size[1])
        ]
    )
    tiles: list[Tile] = []
    left = np.count_nonzero(use)
    wanted = max(1, round(fraction * use.size / size.prod()))
    for corner in random.permutation(grid):
        region = np.s_[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]
        held = np.count_nonzero(use[region])
        if len(tiles) == wanted or held in (0, left):
            continue
        left -= held
        shard = np.clip(corner - (np.array(shape) - size) // 2, 0, scan - shape)
        first = corner - shard
        within = np.s_[first[0] : first[0] + size[0], first[1] : first[1] + size[1]]
        tiles.append(Tile(region, (int(shard[0]), int(shard[1])), within))
    return tiles
