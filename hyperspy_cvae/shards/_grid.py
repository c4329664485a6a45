"""Where the shards of a scan lie."""

import numpy as np

# A scan needs a few shards along an axis for the network to see how they differ.
_SIZES = ((48, 24), (32, 16), (8, 8))


def shard_size(length: int, largest: int = 24) -> int:
    """Extent of a shard along a navigation axis of ``length`` pixels.

    24 pixels where the axis holds at least two of them, fewer on shorter axes, and the whole
    axis below 8 pixels.

    Examples
    --------
    >>> from hyperspy_cvae.shards import shard_size
    >>> [shard_size(length) for length in (192, 34, 22, 6, 1)]
    [24, 16, 8, 6, 1]
    """
    for enough, size in _SIZES:
        if length >= enough:
            return min(size, largest)
    return min(length, largest)


def starts(length: int, size: int, step: int, margin: int = 0) -> np.ndarray:
    """First pixels of shards of ``size`` that cover an axis of ``length``, evenly spread.

    Neighbours are at most ``step`` pixels apart; the first starts ``margin`` pixels before the
    axis, the last ends as many behind it.

    Examples
    --------
    >>> from hyperspy_cvae.shards import starts
    >>> starts(49, 24, 12)
    array([ 0,  8, 17, 25])
    >>> starts(49, 24, 12, margin=6)
    array([-6,  3, 12, 22, 31])
    """
    last = length - size + 2 * margin
    return np.rint(np.linspace(0, last, -(-last // step) + 1)).astype(int) - margin


def reflected(start: int, size: int, length: int) -> np.ndarray:
    """Pixels of an axis of ``length`` that a shard holds, which is reflected at its ends.

    Examples
    --------
    >>> from hyperspy_cvae.shards import reflected
    >>> reflected(-2, 5, 10)
    array([2, 1, 0, 1, 2])
    """
    before, behind = max(0, -start), max(0, start + size - length)
    return np.pad(np.arange(length), (before, behind), mode="reflect")[start + before :][:size]
