"""How much of what was injected is found."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import mean
from sklearn.metrics import average_precision_score

from hyperspy_cvae.evaluation._discs import near

_FOUND = 0.5  # of a disc, and of the discs


@dataclass(frozen=True)
class Rates:
    """What was found in one scan with injected discs.

    Attributes
    ----------
    discs
        How many were injected.
    discs_found
        Those of which at least half of the pixels are anomalous, and were not without injection.
    pixels
        How many pixels the discs have.
    pixels_found
        Those of them that are anomalous, and were not.
    bulk_flagged
        Others that are anomalous, and were not, more than 3 pixels off the discs.
    average_precision
        Of the scores, for the discs against the others that are more than 3 pixels off them and are
        not anomalous without injection. So far smoothing carries what was injected.
    """

    discs: int
    discs_found: int
    pixels: int
    pixels_found: int
    bulk_flagged: int
    average_precision: float


def rates(
    discs: NDArray[np.intp],
    scores: NDArray[np.floating],
    mask: NDArray[np.bool_],
    known: NDArray[np.bool_],
) -> Rates:
    """Return how much of some discs is found.

    Parameters
    ----------
    discs
        The injected discs ``(rows, columns)``, numbered from 1 and 0 elsewhere.
    scores
        Score of each pixel, lower for more anomalous; NaN where it is not judged.
    mask
        True where a pixel is called anomalous.
    known
        True where it is without injection.

    Examples
    --------
    >>> discs = np.array([[1, 1, 0, 0, 0, 0, 2, 2]])
    >>> scores = np.array([[-9, -8, -6, -1, -1, -2, -4, -3]])
    >>> rates(discs, scores, scores < -5, known=np.zeros((1, 8), bool))
    Rates(discs=2, discs_found=1, pixels=4, pixels_found=2, bulk_flagged=0, average_precision=1.0)
    """
    injected, new = discs > 0, mask & ~known
    bulk = ~near(injected)
    number = int(discs.max())
    found = mean(new, discs, np.arange(1, number + 1)) >= _FOUND
    judged = np.isfinite(scores) & ~known & (injected | bulk)
    return Rates(
        number,
        int(np.count_nonzero(found)),
        int(np.count_nonzero(injected)),
        int(np.count_nonzero(injected & new)),
        int(np.count_nonzero(new & bulk)),
        float(average_precision_score(injected[judged], -scores[judged])),
    )


def smallest_found(sizes: NDArray[np.floating], share: NDArray[np.floating]) -> float:
    """Return the size from which on at least half is found; NaN if not of the largest.

    Parameters
    ----------
    sizes
        Rising.
    share
        Which share of the discs of each is found.

    Examples
    --------
    >>> smallest_found(np.array([1.0, 2.0, 4.0, 8.0]), np.array([1.0, 0.2, 0.5, 1.0]))
    4.0
    """
    missed = np.flatnonzero(share < _FOUND)
    first = missed[-1] + 1 if missed.size else 0
    return float(sizes[first]) if first < len(sizes) else np.nan
