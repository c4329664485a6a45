"""Energy axes, and moving spectra from one to another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.blocks import AnyCube

_LARGEST_RATIO = 2.0


@dataclass(frozen=True)
class EnergyAxis:
    """A uniform axis of energy loss.

    Parameters
    ----------
    offset
        Energy of the first channel.
    scale
        Dispersion: energy per channel, above 0.
    size
        Number of channels.
    units
        Unit of offset and scale.

    Examples
    --------
    >>> print(EnergyAxis(420.0, 0.3, 1312, "eV"))
    420-813.3 eV, 1312 channels of 0.3 eV
    """

    offset: float
    scale: float
    size: int
    units: str = "eV"

    @property
    def values(self) -> NDArray[np.floating]:
        """Energy of every channel."""
        return self.offset + self.scale * np.arange(self.size)

    @property
    def dispersion_ev(self) -> float:
        """Dispersion in eV per channel, of an axis in eV, keV or meV."""
        return self.scale * {"keV": 1e3, "meV": 1e-3}.get(self.units, 1.0)

    def __str__(self) -> str:
        low, high = self.offset, self.offset + self.scale * (self.size - 1)
        units = f" {self.units}" if self.units else ""
        return f"{low:.6g}-{high:.6g}{units}, {self.size} channels of {self.scale:.4g}{units}"

    def channels(self, signal_range: tuple[float, float] | None) -> NDArray[np.bool_]:
        """Tell which channels lie in ``(low, high)``, both included; all if None.

        Raises
        ------
        ValueError
            If the range is not rising, or is not inside the axis.
        """
        if signal_range is None:
            return np.ones(self.size, bool)
        low, high = (float(limit) for limit in signal_range)
        first, last = self.values[0], self.values[-1]
        slack = self.scale / 2
        if not low < high:
            raise ValueError(
                f"signal_range ({low:g}, {high:g}) is not rising: give (low, high) in {self.units}."
            )
        if low < first - slack or high > last + slack:
            raise ValueError(
                f"signal_range ({low:g}, {high:g}) lies outside the energy axis "
                f"{first:g}-{last:g} {self.units}: choose a range inside it."
            )
        tiny = 1e-6 * self.scale
        return (self.values >= low - tiny) & (self.values <= high + tiny)

    def inside(self, other: "EnergyAxis") -> NDArray[np.bool_]:
        """Tell which channels lie within those of ``other``."""
        reach = other.scale / 2
        return (self.values >= other.offset - reach) & (self.values <= other.values[-1] + reach)

    def check_covers(self, other: "EnergyAxis") -> None:
        """Check that spectra on this axis can be resampled onto ``other``.

        It is sound where the units agree, this axis reaches as far as the other one at both
        ends, and the dispersions differ by less than a factor of two: beyond, fine structure and
        noise would no longer be those that a model has learnt.

        Raises
        ------
        ValueError
            If it is not sound; names both axes.
        """
        both = f"The model's energy axis is {other}; that of the spectrum image is {self}"
        if self.units != other.units:
            raise ValueError(
                f"{both}: convert one with s.axes_manager.convert_units, or train a new model."
            )
        reach = max(self.scale, other.scale) / 2
        if self.offset > other.offset + reach or self.values[-1] < other.values[-1] - reach:
            raise ValueError(
                f"{both}, which does not reach as far: train a model on this spectrum image, or "
                "on the range that both share, with train_cvae(signal_range=...)."
            )
        ratio = self.scale / other.scale
        if not 1 / _LARGEST_RATIO < ratio < _LARGEST_RATIO:
            raise ValueError(
                f"{both}: their dispersions differ too much to resample one (by a factor of "
                f"{max(ratio, 1 / ratio):.3g}); train a new model, or rebin the spectrum image."
            )


def resample(cube: AnyCube, source: EnergyAxis, target: EnergyAxis) -> AnyCube:
    """Interpolate spectra ``(..., energy)`` linearly from one axis onto another.

    Energies beyond the source take the value at its end.
    """
    if source == target:
        return cube
    position = np.clip((target.values - source.offset) / source.scale, 0, source.size - 1)
    lower = np.minimum(position.astype(int), source.size - 2)
    part = (position - lower).astype(np.float32)
    return (1 - part) * cube[..., lower] + part * cube[..., lower + 1]
