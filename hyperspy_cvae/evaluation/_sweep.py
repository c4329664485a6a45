"""Anomalies of several sizes, injected into a scan that is judged again each time."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube, replaced, spectra_at
from hyperspy_cvae.evaluation._injection import Injection
from hyperspy_cvae.evaluation._rates import rates

Find = Callable[[Cube], tuple[NDArray[np.floating], NDArray[np.bool_]]]
"""From a cube to its scores and its mask, both ``(rows, columns)``."""


def sweep(
    cube: Cube,
    expected: Cube,
    injection: Injection,
    sizes: Sequence[float] | NDArray[np.floating],
    places: Sequence[NDArray[np.intp]],
    find: Find,
    known: NDArray[np.bool_],
    seed: int = 0,
) -> pd.DataFrame:
    """Inject an anomaly in every size into every placement of discs, and return what is found.

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
        Placements of discs; see :func:`placements`.
    find
        Returns scores and mask of a cube, both ``(rows, columns)``.
    known
        True in the pixels that are anomalous without injection.
    seed
        The same seed gives the same noise of what is added.

    Returns
    -------
    pandas.DataFrame
        One line for each size, of all placements together: ``size``, ``scans``, and the
        :class:`Rates`. Discs and pixels are added up; ``bulk_flagged`` and ``average_precision``
        are means of the scans.
    """
    lines = []
    for size in sizes:
        for number, discs in enumerate(places):
            pixels, random = discs > 0, np.random.default_rng([seed, number])
            recorded, bulk = (spectra_at(each, pixels) for each in (cube, expected))
            injected = replaced(cube, pixels, injection(recorded, bulk, size, random))
            lines.append({"size": size, "scans": 1, **asdict(rates(discs, *find(injected), known))})
    how = dict.fromkeys(lines[0], "sum") | {"bulk_flagged": "mean", "average_precision": "mean"}
    del how["size"]
    return pd.DataFrame(lines).groupby("size", as_index=False).agg(how)
