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


def starts(length: int, size: int, step: int) -> np.ndarray:
    """First pixels of shards of ``size`` that cover an axis of ``length``, evenly spread.

    Neighbours are at most ``step`` pixels apart; the first starts at 0, the last ends with the
    axis.

    Examples
    --------
    >>> from hyperspy_cvae.shards import starts
    >>> starts(49, 24, 12)
    array([ 0,  8, 17, 25])
    """
    last = length - size
    return np.rint(np.linspace(0, last, -(-last // step) + 1)).astype(int)
