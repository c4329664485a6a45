"""From counts to what a network sees: gaps filled, smoothed, scaled."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

_FEWEST_SPECTRA = 2
_FEWEST_CHANNELS = 8


class Counts(NamedTuple):
    """A spectrum image as plain numbers; see :func:`prepare`."""

    cube: NDArray[np.float32]
    """Counts ``(rows, columns, energy)``, all finite; the data themselves if they were so."""
    judged: NDArray[np.bool_]
    """Spectra that hold a measurement, ``(rows, columns)``."""
    alive: NDArray[np.bool_]
    """Channels that hold a number in some spectrum, ``(energy,)``."""


@dataclass(frozen=True)
class Preprocessing:
    """Steps between the counts and the network, in this order.

    Parameters
    ----------
    smoothing
        Standard deviation of a Gaussian along rows, columns and energy, in pixels and channels.
    percentiles
        Percentiles of the whole cube that become 0 and 1, with clipping; None for no scaling.
    spatial_mean
        Width in pixels of a mean over neighbouring pixels; 1 for none.
    """

    smoothing: tuple[float, float, float] = (0.0, 0.0, 0.0)
    percentiles: tuple[float, float] | None = None
    spatial_mean: int = 1

    def apply(self, cube: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[float, float]]:
        """Return intensities and the ``(offset, scale)`` that gave them.

        Parameters
        ----------
        cube
            Counts ``(rows, columns, energy)``, finite; left as they are.

        Returns
        -------
        intensities, (offset, scale)
            ``intensities * scale + offset`` are smoothed counts where nothing was clipped.

        Examples
        --------
        >>> cube = np.array([[[0, 1, 5], [2, 3, 4]]], dtype=np.float32)
        >>> intensities, (offset, scale) = Preprocessing(percentiles=(0, 100)).apply(cube)
        >>> intensities[0, 0], scale
        (array([0. , 0.2, 1. ], dtype=float32), 5.0)
        """
        if any(self.smoothing):
            cube = gaussian_filter(cube, self.smoothing, mode="nearest")
        offset, scale = 0.0, 1.0
        if self.percentiles is not None:
            low, high = np.percentile(cube, self.percentiles)
            offset, scale = float(low), float(high - low) or 1.0
            cube = np.clip((cube - np.float32(offset)) / np.float32(scale), 0, 1)
        if self.spatial_mean > 1:
            size = (self.spatial_mean, self.spatial_mean, 1)
            cube = uniform_filter(cube, size, mode="nearest")
        return cube, (offset, scale)


PAPER_PREPROCESSING = Preprocessing(
    smoothing=(0.5, 0.5, 0.5), percentiles=(1.0, 99.0), spatial_mean=3
)


def prepare(data: NDArray[np.generic]) -> Counts:
    """Return the counts of a spectrum image as finite float32 numbers.

    Single channels without a number (NaN or infinity) are interpolated along energy. Spectra
    with a number in less than half of the living channels hold no measurement: they are filled
    with zeros and not judged.

    Parameters
    ----------
    data
        Counts ``(rows, columns, energy)`` of any real type and byte order; left as they are.

    Raises
    ------
    ValueError
        If fewer than two spectra or fewer than eight channels hold numbers, or all counts are
        equal.

    Examples
    --------
    >>> data = np.arange(20.0).reshape(1, 2, 10) ** 2
    >>> data[0, 0, 4] = np.nan
    >>> prepare(data).cube[0, 0, 3:6]
    array([ 9., 17., 25.], dtype=float32)
    """
    cube = data.astype(np.float32, copy=False)
    judged: NDArray[np.bool_] = np.ones(cube.shape[:2], bool)
    alive: NDArray[np.bool_] = np.ones(cube.shape[2], bool)
    with np.errstate(invalid="ignore"):  # NaN, which is neither
        lowest, highest = cube.min(initial=np.inf), cube.max(initial=-np.inf)
    if not np.isfinite([lowest, highest]).all():
        finite = np.isfinite(cube)
        alive = np.asarray(finite.any((0, 1)))
        judged = np.asarray(finite.sum(-1) >= max(1, alive.sum() / 2))
        cube = np.where(finite, cube, 0)
        _fill(cube, finite, judged)
    if judged.sum() < _FEWEST_SPECTRA or alive.sum() < _FEWEST_CHANNELS:
        raise ValueError(
            f"data has {judged.sum()} spectra and {alive.sum()} channels that hold numbers, but at "
            f"least {_FEWEST_SPECTRA} and {_FEWEST_CHANNELS} are needed: check the file, or widen "
            "the energy range."
        )
    if not np.isfinite([lowest, highest]).all():
        lowest, highest = cube[judged].min(), cube[judged].max()
    if lowest == highest:
        raise ValueError(
            f"data is {lowest:g} everywhere: there is nothing to learn; check the "
            "file, or which of its signals was loaded."
        )
    return Counts(cube, judged, alive)


def _fill(cube: NDArray[np.float32], finite: NDArray[np.bool_], judged: NDArray[np.bool_]) -> None:
    channels = np.arange(cube.shape[2])
    for row, column in np.argwhere(judged & ~finite.all(-1)):
        spectrum, good = cube[row, column], finite[row, column]
        spectrum[~good] = np.interp(channels[~good], channels[good], spectrum[good])
    cube[~judged] = 0
