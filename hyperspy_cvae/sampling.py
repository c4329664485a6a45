"""Some of many, at random but always the same, where all would take longer and tell no more."""

import numpy as np
from numpy.typing import NDArray


def some(count: int, number: int) -> NDArray[np.intp]:
    """Return the indices of ``number`` of ``count`` at random, or of all.

    Examples
    --------
    >>> len(some(1000, 10)), len(some(5, 10))
    (10, 5)
    """
    return np.random.default_rng(0).permutation(count)[:number]


def some_of(pixels: NDArray[np.bool_], number: int) -> tuple[NDArray[np.intp], ...]:
    """Return the rows and columns of ``number`` of the pixels at random, or of all.

    Examples
    --------
    >>> some_of(np.eye(3, dtype=bool), 10)[0]
    array([2, 0, 1])
    """
    places = np.nonzero(pixels)
    chosen = some(len(places[0]), number)
    return tuple(each[chosen] for each in places)


def some_tiles(shape: tuple[int, int], side: int, number: int) -> list[tuple[slice, slice]]:
    """Return tiles at random of a scan that holds more than a number of them, or all of it.

    Examples
    --------
    >>> some_tiles((30, 40), 24, 64)
    [(slice(0, 30, None), slice(0, 40, None))]
    >>> len(some_tiles((300, 400), 24, 64))
    64
    """
    rows, columns = shape
    if rows * columns <= number * side**2:
        return [np.s_[0:rows, 0:columns]]
    if min(shape) < side:  # a line scan: tiles as long as they must be
        length = -(-(number * side**2) // min(shape))
        return [np.s_[0 : min(rows, length), 0 : min(columns, length)]]
    corners = np.mgrid[0 : rows - side + 1 : side, 0 : columns - side + 1 : side].reshape(2, -1).T
    chosen = corners[some(len(corners), number)]
    return [np.s_[row : row + side, column : column + side] for row, column in chosen.tolist()]
