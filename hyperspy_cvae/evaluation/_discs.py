"""Where anomalies are injected: discs of pixels, which in a line scan are stretches."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_dilation, convolve

from hyperspy_cvae.blocks import Cube, to_map

EXCEPTIONS = 0.02  # of the scan: more would soon no longer be exceptions
_DARKEST = 0.5  # of the median counts: a shift of nothing is nothing
_MARGIN = 3  # pixels over which smoothing carries an anomaly
_LEAST_DISC = 0.75  # of its pixels: a border or a gap may cut off the rest
_ENOUGH_DISCS = 5  # to tell which share is found


def bright_pixels(
    cube: Cube, channels: NDArray[np.bool_], judged: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the judged pixels that hold at least half of the median counts in some channels.

    Raises
    ------
    ValueError
        If no pixel is judged.

    Examples
    --------
    >>> cube = np.full((1, 4, 8), 6, np.float32)
    >>> cube[0, 1] = 2
    >>> bright_pixels(cube, np.ones(8, bool), np.ones((1, 4), bool))
    array([[ True, False,  True,  True]])
    """
    if not judged.any():
        raise ValueError(
            f"No pixel is left to inject into: all are excluded, or anomalous already, or within "
            f"{_MARGIN} pixels of those. Choose another signal_range, or exclude fewer pixels."
        )
    total = to_map(lambda block: block[..., channels].sum(-1), cube)
    return judged & (total >= _DARKEST * np.median(total[judged]))


def near(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return some pixels of a scan and those within 3 of them, as smoothing reaches so far.

    Examples
    --------
    >>> near(np.array([[True, False, False, False, False]]))
    array([[ True,  True,  True,  True, False]])
    """
    return np.asarray(binary_dilation(pixels, iterations=_MARGIN))


def disc(shape: tuple[int, int], centre: ArrayLike, radius: float) -> NDArray[np.bool_]:
    """Return the pixels of a scan that are within a radius of a centre ``(row, column)``."""
    return np.hypot(*(np.indices(shape) - np.reshape(centre, (2, 1, 1)))) <= radius


def fitting_radius(shape: tuple[int, int], pixels: float, radius: float) -> float:
    """Return a radius, or a smaller one if a disc of it has more than a number of pixels.

    Examples
    --------
    >>> fitting_radius((20, 30), pixels=40, radius=3), fitting_radius((20, 30), 5, radius=3)
    (3, 1.0)
    """
    if _largest(shape, radius) <= pixels:
        return radius
    radii = np.unique(np.hypot(*np.indices((int(radius) + 1,) * 2)))
    radii = radii[radii <= radius]
    areas = np.array([_largest(shape, each) for each in radii])
    return float(radii[np.abs(areas - pixels).argmin()])


def placements(
    allowed: NDArray[np.bool_], pixels: float, radius: float, seed: int = 0
) -> list[NDArray[np.intp]]:
    """Return discs that together have a number of pixels, as often as makes them at least five.

    Parameters
    ----------
    allowed
        Where discs may be, boolean ``(rows, columns)``.
    pixels
        How many pixels the discs of one placement have together, about; it has one at least.
    radius
        Their radius in pixels.
    seed
        The same seed gives the same discs.

    Returns
    -------
    list of numpy.ndarray
        Each ``(rows, columns)``, as :func:`place_discs` returns them.

    Raises
    ------
    ValueError
        If there is no room for them.

    Examples
    --------
    >>> [int(each.max()) for each in placements(np.ones((20, 30), bool), pixels=16, radius=1)]
    [3, 3]
    """
    count = max(1, round(pixels / _largest(allowed.shape, radius)))
    times = -(-_ENOUGH_DISCS // count)
    return [place_discs(allowed, count, radius, [seed, number]) for number in range(times)]


def place_discs(
    allowed: NDArray[np.bool_], count: int, radius: float, seed: int | list[int] = 0
) -> NDArray[np.intp]:
    """Return discs at random that do not touch, numbered from 1 and 0 elsewhere.

    A quarter of a disc at most is cut off by borders and by what is not allowed.

    Parameters
    ----------
    allowed
        Where discs may be, boolean ``(rows, columns)``.
    count
        Number of discs.
    radius
        Their radius in pixels.
    seed
        The same seed gives the same discs.

    Raises
    ------
    ValueError
        If there is no room for them.

    Examples
    --------
    >>> place_discs(np.ones((1, 12), bool), count=2, radius=1)
    array([[0, 0, 0, 2, 2, 2, 0, 0, 1, 1, 1, 0]])
    """
    random = np.random.default_rng(seed)
    covered = convolve(allowed.astype(np.intp), _full(radius), mode="constant")
    free = allowed & (covered >= _LEAST_DISC * _largest(allowed.shape, radius))
    discs = np.zeros(allowed.shape, np.intp)
    for number in range(1, count + 1):
        centres = np.argwhere(free)
        if not len(centres):
            raise ValueError(
                f"{count} discs with a radius of {radius:.2g} pixels have no room on the "
                f"{np.count_nonzero(allowed)} pixels that are judged, bright and not anomalous "
                "already: ask for smaller ones or a smaller fraction, or exclude fewer pixels."
            )
        centre = random.choice(centres)
        discs[allowed & disc(allowed.shape, centre, radius)] = number
        free &= ~disc(allowed.shape, centre, 2 * radius + 1)
    return discs


def _full(radius: float) -> NDArray[np.intp]:
    width = 2 * int(radius) + 1
    return disc((width, width), (int(radius), int(radius)), radius).astype(np.intp)


def _largest(shape: tuple[int, int], radius: float) -> int:
    """Return how many pixels a disc has at most in a scan, which may be a line."""
    full = _full(radius)
    room = np.ones([min(extent, full.shape[0]) for extent in shape], np.intp)
    return int(convolve(room, full, mode="constant").max())
