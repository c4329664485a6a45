"""Putting overlapping shards together without seams."""

from collections.abc import Iterable

import numpy as np


def window(size: int) -> np.ndarray:
    """Weight of each pixel of a shard along one axis: a raised cosine, nowhere zero.

    Two windows half a shard apart add up to a constant, so that a blend of overlapping shards
    has no edge where one of them ends.

    Examples
    --------
    >>> from hyperspy_cvae.shards import window
    >>> window(8)[:4] + window(8)[4:]
    array([1., 1., 1., 1.])
    """
    return np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2


def blend(shards: Iterable[tuple[int, int, np.ndarray]], shape: tuple[int, int, int]) -> np.ndarray:
    """Blend ``(row, column, shard)`` into a float32 cube of ``shape``.

    Every pixel is the mean of the shards that hold it, weighted by the :func:`window` of its place
    in each. What a shard holds beyond the cube is left out.

    Raises
    ------
    ValueError
        If a pixel lies in no shard.
    """
    total = np.zeros(shape, dtype=np.float32)
    weight = np.zeros(shape[:2], dtype=np.float32)
    for row, column, shard in shards:
        rows, columns = shard.shape[:2]
        share = np.outer(window(rows), window(columns)).astype(np.float32)
        inside = np.s_[max(0, -row) : shape[0] - row, max(0, -column) : shape[1] - column]
        region = np.s_[max(0, row) : row + rows, max(0, column) : column + columns]
        total[region] += share[inside][..., np.newaxis] * shard[inside]
        weight[region] += share[inside]
    if not weight.all():
        raise ValueError(f"{np.sum(weight == 0)} pixels of the scan lie in no shard.")
    total /= weight[..., np.newaxis]
    return total
