"""How small an anomaly could have been in a spectrum image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm.auto import tqdm

from hyperspy_cvae.blocks import Cube, spectra_at
from hyperspy_cvae.detection import QUANTITIES, Score, energy_width, estimate_noise
from hyperspy_cvae.evaluation import (
    Addition,
    Injection,
    Kind,
    Shift,
    bright_pixels,
    edge_profile,
    fitting_radius,
    near,
    peak_profile,
    placements,
    relative_sizes,
    shift_sizes,
    smallest_found,
    sweep,
)
from hyperspy_cvae.plotting import FoundShares, plot_detection_limit
from hyperspy_cvae.reconstruction import EnergyAxis
from hyperspy_cvae.sampling import some_of
from hyperspy_cvae.signals._comparison import Comparison

_ENOUGH_PIXELS = 4000  # to know the noise
_TOO_MANY = 0.05  # of the pixels: these hide in the tail of scores that exceptions are told from
_COLUMNS = (
    "kind",
    "size",
    "unit",
    "fraction",
    "radius",
    "scans",
    "discs",
    "discs_found",
    "pixels",
    "pixels_found",
    "share_found",
    "bulk_flagged",
    "average_precision",
)


@dataclass(frozen=True)
class DetectionLimit:
    """What would have been found in a spectrum image, had there been anomalies of known size.

    Parameters
    ----------
    table
        One line for each size and fraction: ``kind``; ``size`` in ``unit``, eV for shifts and else
        ``"relative"`` to the counts at ``energy``; the ``fraction`` of the judged pixels that
        was asked for, and the ``radius`` of the discs in pixels; in how many ``scans``, each with
        discs at other places, how many ``discs`` were injected and ``discs_found``, and of how many
        ``pixels`` how many were found (``pixels_found``, ``share_found``); and the means over the
        scans of ``bulk_flagged``, pixels of the bulk that are anomalous only with the
        injection, and of the ``average_precision``. A disc is found if half of its pixels are.
    already
        Pixels that are anomalous without injection. They and those within 3 pixels of them are
        left out of all else.
    score
        What spectra are compared by.
    signal_range
        Energies between which they are compared.
    energy
        Where the peak or the edge lies; None for shifts.
    units
        Unit of both.
    title
        Of the spectrum image.
    """

    table: pd.DataFrame
    already: int
    score: Score
    signal_range: tuple[float, float]
    energy: float | None
    units: str
    title: str

    def __repr__(self) -> str:
        return self.summary()

    def smallest(self, fraction: float) -> float:
        """Return the size from which on at least half of the discs are found.

        Parameters
        ----------
        fraction
            One of those that were asked for.

        Returns
        -------
        float
            In the unit of the table; NaN if the largest is not found.

        Raises
        ------
        ValueError
            If there is no such fraction.
        """
        lines = self.table[np.isclose(self.table["fraction"], fraction)]
        if lines.empty:
            asked = ", ".join(f"{each:g}" for each in self.table["fraction"].unique())
            raise ValueError(f"fraction is {fraction!r}: choose one that was injected, {asked}.")
        share = lines["discs_found"] / lines["discs"]
        return smallest_found(lines["size"].to_numpy(), share.to_numpy())

    def summary(self) -> str:
        """Return what would have been found, in a few readable lines."""
        low, high = self.signal_range
        unit = "eV" if self.energy is None else "times the counts"
        lines = [
            f"Detection limit in {self.title or 'a spectrum image'}, by 3D-CVAE",
            f"  compared in     {low:.6g}-{high:.6g} {self.units}".rstrip(),
            f"  by              {QUANTITIES[self.score]}, automatic threshold",
            f"  injected        {self._anomaly()}",
        ]
        for fraction, group in self.table.groupby("fraction"):
            smallest, largest = self.smallest(fraction), group["size"].max()
            discs, radius = group["discs"].iloc[0], group["radius"].iloc[0]
            if np.isfinite(smallest):
                told = f"found from {smallest:.3g} {unit} on"
            else:
                told = f"not found, up to {largest:.3g} {unit}"
            lines.append(
                f"  {f'in {100 * fraction:.2g} %':<16}{told} ({discs} discs with a radius of "
                f"{radius:.2g} pixels)"
            )
        if self.already:
            lines.append(
                f"  without them    {self.already} pixels are anomalous already; these and what is "
                "near them are left out"
            )
        if (self.table["fraction"] >= _TOO_MANY).any():
            lines.append(
                f"  {100 * _TOO_MANY:g} % of the pixels or more are no exceptions to the automatic "
                "threshold, but a second kind of bulk: what it misses of so many, it may find of "
                "fewer."
            )
        return "\n".join(lines)

    def _anomaly(self) -> str:
        """Return what was injected, and where."""
        if self.energy is None:
            return "shifts of all structure to higher energy"
        kind, at = self.table["kind"][0], f"{self.energy:.5g} {self.units}".rstrip()
        return f"{kind}s at {at}, relative to the counts there"

    def plot(self) -> None:
        """Plot the share of the discs that is found over their size, a line for each fraction.

        The figure is pyplot's current one afterwards, ``matplotlib.pyplot.gcf()``.
        """
        self._figure()

    def _figure(self) -> Figure:
        return plot_detection_limit(
            [
                FoundShares(
                    f"{100 * fraction:.2g} % of the pixels",
                    group["size"].to_numpy(),
                    (group["discs_found"] / group["discs"]).to_numpy(),
                    group["average_precision"].to_numpy(),
                    self.smallest(fraction),
                )
                for fraction, group in self.table.groupby("fraction")
            ],
            size_label="Shift (eV)" if self.energy is None else "Height (of the counts)",
            title=f"{self.title or 'Spectrum image'}: {self._anomaly()}",
        )


@dataclass(frozen=True)
class Anomalies:
    """What is to be injected; see :meth:`EELSAnomalySignal.detection_limit`."""

    kind: Kind
    sizes: Sequence[float] | None
    fractions: Sequence[float]
    radius: float
    energy: float | None

    def check(self, channels: NDArray[np.bool_], axis: EnergyAxis, shape: tuple[int, int]) -> None:
        """Raise a ValueError if something is asked for that cannot be injected."""
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind is {self.kind!r}: choose one of {', '.join(get_args(Kind))}.")
        shares = np.asarray(self.fractions, dtype=float)
        if shares.ndim != 1 or not shares.size or not ((shares > 0) & (shares < 1)).all():
            raise ValueError(
                f"fractions is {self.fractions!r}: give shares of the pixels between 0 and 1, "
                "such as (0.002, 0.01)."
            )
        if not 0 <= self.radius <= max(shape):
            raise ValueError(
                f"radius is {self.radius!r}, but it is 0 to {max(shape)} pixels, the longest side "
                "of the scan: use 3."
            )
        if self.kind == "shift" and self.energy is not None:
            raise ValueError("energy was given with kind='shift', which moves all: leave it out.")
        self.numbers(channels, axis)
        self.channel(channels, axis)

    def numbers(self, channels: NDArray[np.bool_], axis: EnergyAxis) -> NDArray[np.float64]:
        """Return the sizes as they are injected into some channels."""
        if self.kind == "shift":
            return shift_sizes(self.sizes, channels, axis.dispersion_ev)
        return relative_sizes(self.sizes, self.kind)

    def channel(self, channels: NDArray[np.bool_], axis: EnergyAxis) -> int:
        """Return which of some channels lies at the energy; by default the middle one."""
        places = np.flatnonzero(channels)
        if self.energy is None:
            return int(places[len(places) // 2])
        energies, reach = axis.values[places], axis.scale / 2
        if not energies[0] - reach <= self.energy <= energies[-1] + reach:
            raise ValueError(
                f"energy {self.energy:g} lies outside what is compared, {energies[0]:g}-"
                f"{energies[-1]:g} {axis.units}: choose one inside, or another signal_range."
            )
        return int(places[np.abs(energies - self.energy).argmin()])

    def places(
        self, allowed: NDArray[np.bool_], pixels: int, seed: int
    ) -> tuple[dict[float, float], dict[float, list[NDArray[np.intp]]]]:
        """Return the radius of the discs, and placements of them, of each fraction of pixels."""
        fractions, shape = sorted(set(self.fractions)), allowed.shape
        radii = {each: fitting_radius(shape, each * pixels, self.radius) for each in fractions}
        placed = {each: placements(allowed, each * pixels, radii[each], seed) for each in fractions}
        return radii, placed

    def injection(self, comparison: Comparison, channels: NDArray[np.bool_]) -> Injection:
        """Return how it is injected into the counts of a comparison."""
        axis, at = comparison.axis, self.channel(channels, comparison.axis)
        if self.kind == "shift":
            return Shift(channels, axis.dispersion_ev)
        some = some_of(comparison.judged, _ENOUGH_PIXELS)
        recorded, bulk = (spectra_at(each, some) for each in (comparison.cube, comparison.spectra))
        if not np.median(bulk[:, at]) > 0:
            raise ValueError(
                f"energy {axis.values[at]:g}: most spectra hold no counts there, which sizes are "
                "relative to; choose another energy."
            )
        gain = estimate_noise(recorded[:, channels], bulk[:, channels]).gain
        if self.kind == "edge":
            return Addition(edge_profile(channels.size, at), at, gain)
        width = energy_width(axis.dispersion_ev, int(channels.sum()))
        return Addition(peak_profile(channels.size, at, width), at, gain)


def find_limit(
    comparison: Comparison,
    signal_range: tuple[float, float] | None,
    score: Score,
    anomalies: Anomalies,
    seed: int,
    show_progressbar: bool,
) -> DetectionLimit:
    """Return what is found of anomalies that are injected into a comparison's spectrum image."""
    cube, axis, kind = comparison.cube, comparison.axis, anomalies.kind
    channels = comparison.channels_in(signal_range)
    sizes, at = anomalies.numbers(channels, axis), anomalies.channel(channels, axis)
    known, _ = comparison.found(signal_range, score, "auto")
    # Together with what is known, the discs might be too much for an exception.
    rest = comparison.without(near(known))
    _, _, judged = rest.compared(signal_range)
    allowed = bright_pixels(cube, channels, judged)
    injection = anomalies.injection(rest, channels)
    already, _ = rest.found(signal_range, score, "auto")
    radii, places = anomalies.places(allowed, int(judged.sum()), seed)
    scans = len(sizes) * sum(map(len, places.values()))
    tables = []
    with tqdm(
        total=scans, desc="Injecting anomalies", unit="scan", disable=not show_progressbar
    ) as bar:

        def find(cube: Cube) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
            injected = rest.of(cube)
            mask, _ = injected.found(signal_range, score, "auto")
            bar.update()
            return injected.scores(signal_range, score), mask

        for fraction, discs in places.items():
            table = sweep(cube, rest.spectra, injection, sizes, discs, find, already, seed)
            tables.append(table.assign(fraction=fraction, radius=radii[fraction]))
    table = pd.concat(tables, ignore_index=True)
    table["kind"], table["unit"] = kind, "eV" if kind == "shift" else "relative"
    table["share_found"] = table["pixels_found"] / table["pixels"]
    energies = axis.values[channels]
    return DetectionLimit(
        table[list(_COLUMNS)],
        int(np.count_nonzero(known)),
        score,
        (float(energies[0]), float(energies[-1])),
        None if kind == "shift" else float(axis.values[at]),
        axis.units,
        comparison.signal.metadata.get_item("General.title", ""),
    )
