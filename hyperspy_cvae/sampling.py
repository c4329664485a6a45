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
