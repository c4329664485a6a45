"""A spectrum beside its bulk, and the residual with its error."""

import numpy as np
from matplotlib.axes import Axes

from hyperspy_cvae.plotting._drawing import ANOMALOUS, BULK, FloatArray

_BAND = 2  # standard errors


class SpectraPlot:
    """Two axes, one above the other, that show one mean spectrum after another.

    Parameters
    ----------
    above, below
        Axes for the spectra and for their difference.
    energies
        Of the channels, ``(energy,)``.
    units
        Of the energies.
    bulk
        What the second spectrum is.
    """

    def __init__(
        self,
        above: Axes,
        below: Axes,
        energies: FloatArray,
        units: str,
        bulk: str = "bulk, expected",
    ) -> None:
        self.above, self.below, self.energies = above, below, energies
        empty = np.full(energies.shape, np.nan)
        (self._measured,) = above.plot(energies, empty, color=ANOMALOUS, lw=1.2, label="measured")
        (self._bulk,) = above.plot(energies, empty, color="black", lw=1.2, label=bulk)
        (self._residual,) = below.plot(energies, empty, color=ANOMALOUS, lw=1.2)
        self._band = below.fill_between(
            energies, empty, empty, color=BULK, alpha=0.35, lw=0, label=f"± {_BAND} standard errors"
        )
        below.axhline(0, color="black", lw=0.8)
        above.tick_params(labelbottom=False)
        above.set_ylabel("Counts per pixel")
        below.set_ylabel("Measured - bulk")
        below.set_xlabel(f"Energy loss ({units})" if units else "Energy loss")
        below.set_xlim(energies[0], energies[-1])
        above.sharex(below)
        for axes in (above, below):
            _label(axes)

    def show(self, measured: FloatArray, bulk: FloatArray, error: FloatArray, title: str) -> None:
        """Show the mean spectra of some pixels, ``(energy,)`` each, and the error of the first."""
        residual, width = measured - bulk, _BAND * np.nan_to_num(error)
        self._measured.set_ydata(measured)
        self._bulk.set_ydata(bulk)
        self._residual.set_ydata(residual)
        self._band.set_data(self.energies, -width, width)
        self.above.set_title(title, fontsize="medium", parse_math=False)
        for axes, low, high, legend in (
            (self.above, np.minimum(measured, bulk), np.maximum(measured, bulk), 0.18),
            (self.below, np.minimum(residual, -width), np.maximum(residual, width), 0.3),
        ):
            bottom, top = float(np.nanmin(low)), float(np.nanmax(high))
            height = (top - bottom) or 10.0
            axes.set_ylim(bottom - 0.08 * height, top + legend * height)

    def explain(self, difference: FloatArray) -> None:
        """Show what explains the residual, ``(energy,)``."""
        self.below.plot(self.energies, difference, color="black", lw=1, ls="--", label="explained")
        _label(self.below)

    def show_nothing(self, title: str) -> None:
        """Show that there is nothing to be shown, and why."""
        nothing = np.full(self.energies.shape, np.nan)
        for line in (self._measured, self._bulk, self._residual):
            line.set_ydata(nothing)
        self._band.set_data(self.energies, nothing, nothing)
        self.above.set_title(title, fontsize="medium", parse_math=False)


def _label(axes: Axes) -> None:
    axes.legend(loc="upper left", ncols=2, fontsize="small", frameon=False)
