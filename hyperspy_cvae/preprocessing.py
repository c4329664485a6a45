"""From counts to what a network sees: gaps filled, smoothed, scaled."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from hyperspy_cvae.blocks import Cube, blockwise, in_memory, totals

_FEWEST_SPECTRA = 2
_FEWEST_CHANNELS = 8


class Counts(NamedTuple):
    """A spectrum image as plain numbers; see :func:`prepare`."""

    cube: Cube
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

    def apply(self, cube: Cube) -> tuple[Cube, tuple[float, float]]:
        """Return intensities and the ``(offset, scale)`` that gave them.

        Parameters
        ----------
        cube
            Counts ``(rows, columns, energy)``, finite; left as they are. A dask array is read into
            memory, unless nothing is to be done.

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
        if self == Preprocessing():
            return cube, (0.0, 1.0)
        cube = in_memory(cube)
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


def prepare(data: NDArray[Any] | da.Array) -> Counts:
    """Return the counts of a spectrum image as finite float32 numbers.

    Single channels without a number (NaN or infinity) are interpolated along energy. Spectra
    with a number in less than half of the living channels hold no measurement: they are filled
    with zeros and not judged.

    Parameters
    ----------
    data
        Counts ``(rows, columns, energy)`` of any real type and byte order; left as they are. Of a
        dask array everything but the cube is computed.

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
    if isinstance(cube, np.ndarray):
        cube = np.require(cube, requirements=["C", "W"])  # as torch needs it
    channels = cube.shape[2]
    statistics = blockwise(_statistics, cube, channels=3).compute()
    number, lowest, highest = np.moveaxis(statistics, 2, 0)
    judged: NDArray[np.bool_] = np.ones(cube.shape[:2], bool)
    alive: NDArray[np.bool_] = np.ones(channels, bool)
    if number.min() < channels:
        alive = totals(lambda block: np.isfinite(block).any((0, 1)), cube) > 0
        judged = number >= max(1, alive.sum() / 2)
        filled = blockwise(_filled, cube, judged, channels=channels)
        cube = filled if isinstance(data, da.Array) else filled.compute()
    if judged.sum() < _FEWEST_SPECTRA or alive.sum() < _FEWEST_CHANNELS:
        raise ValueError(
            f"data has {judged.sum()} spectra and {alive.sum()} channels that hold numbers, but at "
            f"least {_FEWEST_SPECTRA} and {_FEWEST_CHANNELS} are needed: check the file, or widen "
            "the energy range."
        )
    if lowest[judged].min() == highest[judged].max():
        raise ValueError(
            f"data is {lowest[judged].min():g} everywhere: there is nothing to learn; check the "
            "file, or which of its signals was loaded."
        )
    return Counts(cube, judged, alive)


def _statistics(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how many numbers there are in each spectrum, the lowest and the highest."""
    finite = np.isfinite(block)
    if finite.all():
        number = np.full(block.shape[:2], block.shape[2])
        return np.stack([number, block.min(2), block.max(2)], axis=2).astype(np.float32)
    lowest, highest = (
        each(block, axis=2, where=finite, initial=initial)
        for each, initial in ((np.min, np.inf), (np.max, -np.inf))
    )
    return np.stack([finite.sum(2), lowest, highest], axis=2).astype(np.float32)


def _filled(block: NDArray[np.float32], judged: NDArray[np.bool_]) -> NDArray[np.float32]:
    finite = np.isfinite(block)
    channels = np.arange(block.shape[2])
    filled = np.where(finite & judged, block, 0)
    for row, column in np.argwhere(judged[..., 0] & ~finite.all(2)):
        spectrum, good = filled[row, column], finite[row, column]
        spectrum[~good] = np.interp(channels[~good], channels[good], spectrum[good])
    return filled
