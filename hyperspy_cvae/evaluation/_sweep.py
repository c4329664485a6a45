"""Anomalies of several sizes, injected into a scan that is judged again each time."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube, replaced, spectra_at
from hyperspy_cvae.evaluation._injection import Injection
from hyperspy_cvae.evaluation._rates import Rates, rates

Find = Callable[[Cube], tuple[NDArray[np.floating], NDArray[np.bool_]]]


def sweep(
    cube: Cube,
    expected: Cube,
    injection: Injection,
    sizes: Sequence[float],
    places: Sequence[NDArray[np.intp]],
    find: Find,
    known: NDArray[np.bool_],
    seed: int = 0,
) -> Iterator[tuple[float, Rates]]:
    """Inject an anomaly in every size into every placement of discs, and yield what is found.

    All sizes are drawn with the same random numbers.

    Parameters
    ----------
    cube
        Recorded counts ``(rows, columns, energy)``; left as they are.
    expected
        Their reconstruction, of the same shape.
    injection
        What is injected.
    sizes
        In the units of the injection.
    places
        Placements of discs, see :func:`placements`.
    find
        Returns scores and mask of a cube, both ``(rows, columns)``.
    known
        True in the pixels that are anomalous without injection.
    seed
        The same seed gives the same noise of what is added.

    Yields
    ------
    size, Rates
        For every size and placement.
    """
    for size in sizes:
        for number, discs in enumerate(places):
            pixels = discs > 0
            random = np.random.default_rng([seed, number])
            spectra = injection(
                spectra_at(cube, pixels), spectra_at(expected, pixels), size, random
            )
            yield size, rates(discs, *find(replaced(cube, pixels, spectra)), known)
