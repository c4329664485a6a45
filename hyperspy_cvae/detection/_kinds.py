"""Kinds of regions: those whose spectra differ from the bulk in the same way."""

from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

_ALIKE = 0.65  # cosine from which on two changes are one
_FEWEST_DEVIATIONS = 4.0  # of the squared change above noise, to be of a kind


def kinds_of(
    sigmas: NDArray[np.float64], pixels: NDArray[np.integer], independent: float
) -> list[str]:
    r"""Return the kind of each region, as a letter: A has the most pixels.

    Two regions are of one kind if their mean residuals :math:`r` and :math:`s`, in standard errors,
    point the same way: if the cosine of what is not noise,

    .. math:: \frac{r \cdot s}{\sqrt{(r^2 - E) (s^2 - E)}}

    for :math:`E` channels, is more than .65 on average over the regions of both kinds. So a region
    with half of a change is of the same kind. A residual that is hardly larger than noise is of no
    kind.

    Parameters
    ----------
    sigmas
        Mean residuals ``(regions, energy)`` in standard errors.
    pixels
        How many pixels each region has.
    independent
        How many of the channels are independent of each other, if residuals are smoothed.

    Examples
    --------
    >>> change = np.zeros((3, 40))
    >>> change[:2, 10:15], change[2, 30:35] = 12.0, 9.0
    >>> sigmas = change + np.random.default_rng(0).normal(size=(3, 40))
    >>> kinds_of(sigmas, np.array([4, 1, 9]), 40)
    ['B', 'B', 'A']
    """
    channels = sigmas.shape[1]
    excess = np.square(sigmas).sum(1) - channels
    by_noise = channels * np.sqrt(2 / max(independent, 1.0))
    known = np.flatnonzero(excess > _FEWEST_DEVIATIONS * by_noise)
    kinds = [""] * len(sigmas)
    if not len(known):
        return kinds
    size = np.sqrt(excess[known])
    cosines = np.clip(sigmas[known] @ sigmas[known].T / np.outer(size, size), -1, 1)
    number = np.ones(1, int)
    if len(known) > 1:
        distances = squareform(1 - cosines, checks=False)
        number = fcluster(linkage(distances, "average"), 1 - _ALIKE, "distance")
    weight = np.bincount(number, pixels[known])
    order = {int(each): place for place, each in enumerate(np.argsort(-weight, kind="stable"))}
    for region, each in zip(known.tolist(), number.tolist(), strict=True):
        kinds[region] = _letter(order[each])
    return kinds


def _letter(place: int) -> str:
    """Return A to Z, then AA, AB ..."""
    more, last = divmod(place, len(ascii_uppercase))
    return (_letter(more - 1) if more else "") + ascii_uppercase[last]
