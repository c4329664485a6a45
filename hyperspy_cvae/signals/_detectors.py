"""Which detector would have found what in a spectrum image."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm.auto import tqdm

from hyperspy_cvae.blocks import Cube, stored
from hyperspy_cvae.detection import Limit, Score
from hyperspy_cvae.evaluation import (
    EXCEPTIONS,
    Shift,
    bright_pixels,
    fitting_radius,
    near,
    placements,
    shift_sizes,
    smallest_found,
    sweep,
)
from hyperspy_cvae.plotting import FoundShares, plot_detectors
from hyperspy_cvae.reconstruction import CVAE, PCA, LowRank, Mean, Reconstructor, TileMedian
from hyperspy_cvae.signals._arrays import Recorded, map_scale
from hyperspy_cvae.signals._comparison import Comparison
from hyperspy_cvae.signals._maps import AnomalyMaps

_NETWORK = "3D-CVAE"
_SIMPLER: dict[str, Callable[[], Reconstructor]] = {
    "low rank": LowRank,
    "PCA-3": partial(PCA, 3),
    "PCA-4": partial(PCA, 4),
    "PCA-5": partial(PCA, 5),
    "tile median": TileMedian,
    "mean": Mean,
}
_RADIUS = 3  # pixels
_RANKS_BETTER = 0.03  # average precision


@dataclass(frozen=True)
class ComparedDetectors:
    """Several detectors side by side: what they find, and what they would find.

    Parameters
    ----------
    found
        The :class:`AnomalyMaps` of each detector by its name: ``"3D-CVAE"``, ``"low rank"``,
        ``"PCA-3"``, ``"PCA-4"``, ``"PCA-5"``, ``"tile median"`` and ``"mean"``.
    table
        One line for each detector: ``pixels`` and ``regions`` it finds in the spectrum image as it
        is, the ``seconds`` that takes without the training of the network, the
        ``smallest_shift`` in eV from which on it finds at least half of the injected discs (NaN if
        not the largest), and the share of the discs that it finds of each shift, such as ``"0.6
        eV"``.
    yardstick
        One line for each detector and shift: ``detector``, ``size`` in eV, in how many ``scans``,
        each with discs at other places, how many ``discs`` were injected and ``discs_found``, of
        how many ``pixels`` how many were found (``pixels_found``), and the means over the scans of
        ``bulk_flagged``, pixels of the bulk that are anomalous only with the injection, and of
        the ``average_precision``.
    """

    found: dict[str, AnomalyMaps]
    table: pd.DataFrame
    yardstick: pd.DataFrame

    def __repr__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return who finds what, and whether the network was worth it, in a few readable lines."""
        first = self.found[_NETWORK]
        low, high = first.signal_range
        title = first.image.metadata.get_item("General.title", "") or "a spectrum image"
        quantity = first.score.metadata.Signal.quantity
        discs = self.yardstick["discs"].max()
        lines = [
            f"Detectors compared on {title}",
            f"  compared in     {low:.6g}-{high:.6g} {first.units}".rstrip(),
            f"  by              {quantity}, the same threshold for all",
            f"  would find      at least half of {discs} discs with an injected shift",
        ]
        for name, line in self.table.iterrows():
            would = _from(line["smallest_shift"])
            lines.append(f"  {name:<16}{line['pixels']:.0f} pixels anomalous; would find {would}")
        return "\n".join([*lines, self._verdict()])

    def _verdict(self) -> str:
        """Return in plain words whether the network was worth it here."""
        shifts = self.table["smallest_shift"].fillna(np.inf)
        precision = self.yardstick.groupby("detector")["average_precision"].mean()
        finds, ranks = shifts.drop(_NETWORK).idxmin(), precision.drop(_NETWORK).idxmax()
        shift, gain = shifts[_NETWORK], precision[_NETWORK] - precision[ranks]
        better = (shift < shifts[finds]) + (gain > _RANKS_BETTER)
        worse = (shift > shifts[finds]) + (gain < -_RANKS_BETTER)
        if better and worse:
            verdict = "It is open whether the network was worth it here"
        elif better or worse:
            verdict = f"The network was {'' if better else 'not '}worth it here"
        else:
            verdict = "The network was not needed here"
        if np.isfinite(shifts).any():
            by_shift = (
                f"it finds {_from(shift)}, and the best of the others, {finds}, "
                f"{_from(shifts[finds])}."
            )
        else:
            by_shift = "no detector finds any of these shifts in half of the discs."
        told = (
            f"{verdict}: {by_shift} The network's average precision over all shifts is "
            f"{precision[_NETWORK]:.2f}, and that of {ranks}, the best of the others, "
            f"{precision[ranks]:.2f}."
        )
        if better and not worse:
            return told
        return f"{told} Where bulk varies little, more is not to be had; else train longer."

    def plot(self) -> None:
        """Plot the maps side by side, and below what is found of shifts that were injected.

        The figure is pyplot's current one afterwards, ``matplotlib.pyplot.gcf()``.
        """
        self._figure()

    def _figure(self) -> Figure:
        first = self.found[_NETWORK]
        scale, units = map_scale(first.pcc)
        panels = [
            (name, each.score.data, each.mask.data, each.threshold)
            for name, each in self.found.items()
        ]
        curves = [
            FoundShares(
                name,
                lines["size"].to_numpy(),
                (lines["discs_found"] / lines["discs"]).to_numpy(),
                lines["average_precision"].to_numpy(),
                self.table.loc[name, "smallest_shift"],
            )
            for name, lines in self.yardstick.groupby("detector", sort=False)
        ]
        return plot_detectors(
            panels,
            curves,
            quantity=first.score.metadata.Signal.quantity,
            scale=scale,
            units=units,
            title=first.image.metadata.get_item("General.title", ""),
        )


def _from(shift: float) -> str:
    return f"shifts from {shift:.3g} eV on" if np.isfinite(shift) else "none of the shifts"


class Asked(NamedTuple):
    """How all detectors are to judge."""

    signal_range: tuple[float, float] | None
    score: Score
    limit: Limit


def compare(
    recorded: Recorded,
    model: CVAE,
    asked: Asked,
    shifts: Sequence[float] | None,
    seed: int,
    show_progressbar: bool,
) -> ComparedDetectors:
    """Judge a spectrum image by all detectors, without and with injected shifts.

    No more than two reconstructions are held in memory at a time, unless they are small.
    """
    found: dict[str, AnomalyMaps] = {}
    seconds = {}
    with tqdm(total=1 + len(_SIMPLER), unit="scan", disable=not show_progressbar) as bar:
        bar.set_description("Comparing detectors")
        start = time.perf_counter()
        for name, comparison in _comparisons(recorded, model):
            comparison.found(*asked)  # which is kept
            seconds[name] = time.perf_counter() - start
            found[name] = replace(comparison, spectra=stored(comparison.spectra)).judge(*asked)
            bar.update()
            start = time.perf_counter()
        yardstick = _yardstick(found, asked, shifts, seed, bar)
    return ComparedDetectors(found, _table(found, seconds, yardstick), yardstick)


def _comparisons(recorded: Recorded, model: CVAE) -> Iterator[tuple[str, Comparison]]:
    network = Comparison.with_network(recorded, model)
    recorded = recorded._replace(channels=network.channels)  # all compare what it has learnt
    yield _NETWORK, network
    del network
    for name, detector in _SIMPLER.items():
        yield name, Comparison.with_fitted(recorded, detector(), name)


def _yardstick(
    found: dict[str, AnomalyMaps],
    asked: Asked,
    shifts: Sequence[float] | None,
    seed: int,
    bar: tqdm,
) -> pd.DataFrame:
    """Return what each detector finds of shifts, in a scan without what any of them finds already.

    The discs are then all that is anomalous: together with what is known they might be too much for
    an exception.
    """
    known = np.any([each.mask.data for each in found.values()], axis=0)
    known = known.reshape(found[_NETWORK].comparison.judged.shape)
    rest = {name: each.comparison.without(near(known)) for name, each in found.items()}
    comparison = rest[_NETWORK]
    channels = comparison.channels_in(asked.signal_range)
    injection = Shift(channels, comparison.axis.dispersion_ev)
    sizes = shift_sizes(shifts, channels, injection.dispersion, "shifts")
    _, _, judged = comparison.compared(asked.signal_range)
    pixels = EXCEPTIONS * np.count_nonzero(judged)
    radius = fitting_radius(judged.shape, pixels, _RADIUS)
    allowed = bright_pixels(comparison.cube, channels, judged)
    places = placements(allowed, pixels, radius, seed)
    bar.reset(len(rest) * len(sizes) * len(places))
    bar.set_description("Injecting shifts")

    def find(cube: Cube, detector: Comparison) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        injected = detector.of(cube)
        mask, _ = injected.found(*asked)
        bar.update()
        return injected.scores(asked.signal_range, asked.score), mask

    tables = []
    for name, each in rest.items():
        already, _ = each.found(*asked)
        judge = partial(find, detector=each)
        table = sweep(each.cube, each.spectra, injection, sizes, places, judge, already)
        table.insert(0, "detector", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _table(
    found: dict[str, AnomalyMaps], seconds: dict[str, float], yardstick: pd.DataFrame
) -> pd.DataFrame:
    lines = {}
    for name, lines_of in yardstick.groupby("detector"):
        sizes, share = lines_of["size"].to_numpy(), lines_of["discs_found"] / lines_of["discs"]
        lines[name] = {
            "pixels": int(found[name].mask.data.sum()),
            "regions": len(found[name].regions),
            "seconds": round(seconds[name], 1),
            "smallest_shift": smallest_found(sizes, share.to_numpy()),
            **{f"{size:.6g} eV": value for size, value in zip(sizes, share, strict=True)},
        }
    return pd.DataFrame.from_dict(lines, orient="index").loc[list(found)].rename_axis("detector")
