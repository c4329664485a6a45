"""What is found in variants of measured spectrum images, and how often something false is.

Spectra measured in one place are put into a measured scan of another that is known to hold
nothing: in blocks of 1 to 49 pixels, at shares of their counts of 1, a half, a fifth and a tenth,
with all counts thinned to a quarter or a sixteenth, at other places, in series laid out otherwise.
X-ray hits of 6 to 60 standard deviations are added to such scans, and the scans alone are nulls. A
seed makes one variant: even seeds are for tuning, odd ones are reported.

    python benchmarks/variants.py FOLDER --seeds 1 400

FOLDER holds the measured cases that ``measured.py`` reads. Results are written in JSON, as a table
in reStructuredText and as a figure into benchmarks/results. ``--detector FILE:FUNCTION`` judges the
same variants by another detector beside: a function of counts ``(rows, columns, energy)`` that
returns a mask, a score that is higher for what is anomalous, and a mask of artefacts.
``--quick`` simulates a folder of its own, as a test that it runs.
"""

import argparse
import importlib.util
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hyperspy.api as hs
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from sklearn.metrics import average_precision_score

from hyperspy_cvae.phantoms import PeakShift, bifeo3

Mask = NDArray[np.bool_]
Counts = NDArray[np.float64]
Judged = tuple[Mask, NDArray[np.floating], Mask]

DONORS = {
    "null_sio2_sic": "sic_in_sio2",
    "null_srtio3_two_places": "tio2_in_srtio3",
    "null_carbon_film": "ca_particle_on_carbon",
    "null_mantle_silicate_wide": "mantle_ferropericlase_wide",
}
"""The null into which true pixels of a case go: both have the same energy axis."""

SERIES = ("null_tio2", "null_tio2_drift", "null_srtio3_two_places")
"""Exposures of one place one after the other, which may be laid out as any scan."""

PART = {"null_sio2_sic": np.s_[:, 10:]}
"""Of a null that holds two phases the one that differs from the donors."""

PROCESSED = ("null_mn3o4_columns",)
"""Without a background, so that these are no counts that could be thinned."""

SIDES, SHARES, THINNED = (1, 2, 3, 5, 7), (1.0, 0.5, 0.2, 0.1), (1.0, 1 / 4, 1 / 16)
_MOST = 0.1  # of the pixels are anomalous
_FEW = 5  # counts


@dataclass(frozen=True)
class Variant:
    """A scan made of measured spectra, and what is true in it."""

    kind: str
    name: str
    side: int
    share: float
    thinned: float
    counts: Counts
    truth: Mask
    ignored: Mask


class Measured:
    """The cases of a folder by their names, each read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = {
            each["name"]: each for each in json.loads((folder / "index.json").read_text())
        }
        self._read: dict[str, tuple[Counts, Mask, Mask]] = {}

    def __getitem__(self, name: str) -> tuple[Counts, Mask, Mask]:
        """Return counts ``(rows, columns, energy)``, what is true, and what counts neither way."""
        if name not in self._read:
            case = self.index[name]
            counts = np.asarray(hs.load(self.folder / case["file"]).data, dtype=float)
            counts = counts[np.newaxis] if counts.ndim == 2 else counts
            masks = [
                np.load(self.folder / each).reshape(counts.shape[:2]).astype(bool)
                if each not in (None, "null")
                else np.zeros(counts.shape[:2], bool)
                for each in (case["truth"], case.get("ignore"))
            ]
            self._read[name] = np.maximum(counts, 0), *masks
        return self._read[name]

    @property
    def nulls(self) -> list[str]:
        """Names of the cases that hold nothing."""
        return [name for name, case in self.index.items() if case["truth"] == "null"]


def variant(measured: Measured, seed: int) -> Variant:
    """Return the variant of a seed."""
    random = np.random.default_rng(seed)
    kind = random.choice(["donors", "hits", "null"], p=[0.55, 0.1, 0.35])
    hosts = [each for each in measured.nulls if each in DONORS or kind != "donors"]
    host = str(random.choice(hosts))
    part = PART.get(host, np.s_[:]) if kind == "donors" else np.s_[:]
    counts, _, ignored = (each[part].copy() for each in measured[host])
    rows, columns = counts.shape[:2]
    if host in SERIES and random.random() < 0.5:
        sizes = [n for n in range(4, 26) if rows * columns % n == 0]
        rows = int(random.choice(sizes))
        counts, ignored = (each.reshape(rows, -1, *each.shape[2:]) for each in (counts, ignored))
    if random.random() < 0.5:
        counts, ignored = np.swapaxes(counts, 0, 1), ignored.T
    counts, ignored = np.ascontiguousarray(counts), np.ascontiguousarray(ignored)
    truth = np.zeros(ignored.shape, bool)
    fitting = [each for each in SIDES if each**2 <= _MOST * truth.size]
    side, share = int(random.choice(fitting)), float(random.choice(SHARES))
    gain = gain_of(counts)
    if kind == "donors":
        donors, places, _ = measured[DONORS[host]]
        donors = donors[places]
        for row, column in blocks(truth.shape, side, random):
            block = np.s_[row : row + side, column : column + side]
            truth[block] = True
        chosen = donors[random.integers(len(donors), size=truth.sum())]
        counts[truth] = mixed(counts[truth], chosen, share, gain, random)
    thinned = 1.0 if host in PROCESSED else float(random.choice(THINNED))
    if thinned < 1:
        counts = thinned_to(counts, thinned, gain, random)
    if kind == "hits":
        side, share = 1, float(random.choice([6, 8, 10, 15, 30, 60]))
        number = 1 + int(random.integers(3))
        lived = np.flatnonzero(counts.mean((0, 1)) > 0)[2:-2]
        for place in random.choice(truth.size, number, replace=False):
            row, column = np.unravel_index(place, truth.shape)
            at = int(random.choice(lived))
            deviation = np.sqrt(gain * max(counts[..., at].mean(), 1))
            counts[row, column, at] += share * deviation
            if random.random() < 0.5:
                counts[row, column, at + 1] += random.uniform(0.2, 0.8) * share * deviation
            truth[row, column] = True
    if kind == "null":
        side, share = 0, 0.0
    return Variant(str(kind), host, side, share, thinned, counts, truth, ignored)


def blocks(
    shape: tuple[int, int], side: int, random: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Return the corners of one to four blocks that don't touch each other."""
    high, wide = (max(1, each - side + 1) for each in shape)
    most = int(np.clip(_MOST * shape[0] * shape[1] / side**2, 1, 4))
    number = random.integers(1, most + 1)
    corners: list[NDArray[np.intp]] = []
    for _ in range(200):
        corner = np.array([random.integers(high), random.integers(wide)])
        if len(corners) < number and all((abs(corner - each) > side).any() for each in corners):
            corners.append(corner)
    return corners


def gain_of(counts: Counts) -> float:
    """Return the variance of counts over their mean, from differences of neighbouring channels."""
    flat = counts.reshape(-1, counts.shape[2])
    expected = flat.sum(1, keepdims=True) * flat.sum(0) / flat.sum()
    left = np.diff(flat - expected, axis=1)[:, ::2]
    return float(np.square(left).sum() / (expected[:, 1:] + expected[:, :-1])[:, ::2].sum())


def mixed(
    counts: Counts, donors: Counts, share: float, gain: float, random: np.random.Generator
) -> Counts:
    """Return spectra of which a share of the counts comes from donors, with as much noise."""
    ratio = counts.sum(1, keepdims=True) / donors.sum(1, keepdims=True)
    if np.median(counts) <= _FEW:
        donors = random.binomial(donors.astype(int), np.minimum(share * ratio, 1))
        return random.binomial(counts.astype(int), 1 - share) + donors.astype(float)
    noise = gain * share * (1 - share) * (counts + donors * ratio)
    mean = (1 - share) * counts + share * donors * ratio
    return np.maximum(random.normal(mean, np.sqrt(noise)), 0)


def thinned_to(counts: Counts, share: float, gain: float, random: np.random.Generator) -> Counts:
    """Return a share of the counts, with the noise that a shorter exposure has."""
    if np.median(counts) <= _FEW:
        return random.binomial(counts.astype(int), share).astype(float)
    noise = gain * share * (1 - share) * counts
    return np.maximum(random.normal(share * counts, np.sqrt(noise)), 0)


def figures(case: Variant, mask: Mask, score: NDArray[np.floating], hits: Mask) -> dict[str, float]:
    """Return how a map agrees with the truth."""
    near = binary_dilation(case.truth, np.ones((3, 3))) | case.ignored
    flagged = mask | hits if case.kind == "hits" else mask
    found = {
        "true": int(case.truth.sum()),
        "found": int((flagged & case.truth).sum()),
        "false": int((mask & ~near).sum()),
        "AP": float("nan"),
    }
    if case.truth.any():
        counted = ~case.ignored.ravel()
        high = np.nan_to_num(np.asarray(score, float), nan=np.nanmin(score)).ravel()
        found["AP"] = float(average_precision_score(case.truth.ravel()[counted], high[counted]))
    return found


def by_default(counts: Counts) -> Judged:
    """Judge by the product's defaults."""
    signal = hs.signals.Signal1D(counts.astype(np.float32))
    signal.set_signal_type("EELSAnomaly")
    found = signal.detect_anomalies()
    return found.mask.data, -found.score.data, found.artefacts.data


def main() -> None:
    """Judge variants, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--seeds", type=int, nargs=2, default=(1, 400), metavar=("FIRST", "LAST"))
    parser.add_argument("--detector", nargs="+", default=[], metavar="FILE:FUNCTION")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if options.quick:
        options.folder, options.seeds = options.output / "variants_quick", (1, 12)
        simulate(options.folder)
    if options.folder is None:
        parser.error("give a folder with an index.json, or --quick")
    hs.preferences.General.show_progressbar = False
    warnings.simplefilter("ignore")
    detectors: dict[str, Callable[[Counts], Judged]] = {"default": by_default}
    for name in options.detector:
        detectors[name.rsplit(":")[-1]] = function_of(name)
    measured, rows = Measured(options.folder), []
    for seed in range(options.seeds[0], options.seeds[1] + 1, 2):
        case = variant(measured, seed)
        for detector, judge in detectors.items():
            start = time.perf_counter()
            result = figures(case, *judge(case.counts))
            names = {"seed": seed, "detector": detector, "kind": case.kind, "scan": case.name}
            spec = {"side": case.side, "share": case.share, "thinned": case.thinned}
            took = {"seconds": round(time.perf_counter() - start, 2)}
            rows.append(names | spec | result | took)
    results = pd.DataFrame(rows)
    (options.output / "variants.json").write_text(json.dumps(rows, indent=1))
    (options.output / "variants.rst").write_text(table(results))
    figure(results).savefig(options.output / "variants.png", dpi=100)
    print(table(results))


def function_of(name: str) -> Callable[[Counts], Judged]:
    """Return a function of a file."""
    path, _, function = name.rpartition(":")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    judge: Callable[[Counts], Judged] = getattr(module, function)
    return judge


def power(results: pd.DataFrame) -> pd.DataFrame:
    """Return of variants with something to find the share in which half or more is found."""
    some = results[results["true"] > 0]
    return some.assign(power=2 * some["found"] >= some["true"])


def table(results: pd.DataFrame) -> str:
    """Return power and false alarms in reStructuredText."""
    some = power(results)
    lines = [
        ".. csv-table:: Share of the variants in which half of the pixels or more are found",
        f"   :header: {', '.join(['what', 'variants', *some['detector'].unique()])}",
        "",
    ]

    def line(what: str, part: pd.DataFrame) -> None:
        shares = part.groupby("detector", sort=False)["power"].mean()
        number = len(part) // max(1, part["detector"].nunique())
        lines.append(f'   "{what}", {number}, {", ".join(f"{each:.2f}" for each in shares)}')

    donors = some[some["kind"] == "donors"]
    for column, unit in (("scan", ""), ("share", ""), ("side", " px"), ("thinned", "")):
        for value, part in donors.groupby(column):
            what = value if column == "scan" else f"{column} {value:.3g}{unit}"
            line(str(what), part)
    line("all blocks", donors)
    line("X-ray hits", some[some["kind"] == "hits"])
    lines += ["", ".. csv-table:: False alarms", "   :header: detector, nulls, of them flagged, "]
    lines[-1] += "variants, of them with a false pixel"
    lines.append("")
    for name, part in results.groupby("detector", sort=False):
        null, other = part[part["kind"] == "null"], part[part["kind"] != "null"]
        flagged = [(each["false"] > 0).sum() for each in (null, other)]
        lines.append(f"   {name}, {len(null)}, {flagged[0]}, {len(other)}, {flagged[1]}")
    return "\n".join([*lines, ""])


def figure(results: pd.DataFrame) -> plt.Figure:
    """Draw power over size and over share."""
    donors = power(results[results["kind"] == "donors"])
    drawn, panels = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained", sharey=True)
    for axes, column, label in zip(
        panels,
        ("side", "share", "thinned"),
        ("Side of a block (pixels)", "Share of the counts", "Counts, of those measured"),
        strict=True,
    ):
        for name, part in donors.groupby("detector", sort=False):
            shares = part.groupby(column)["power"].mean()
            axes.plot(shares.index, shares, "o-", label=name)
        axes.set(xlabel=label, ylim=(-0.02, 1.02), xscale="log")
        ticks = sorted(donors[column].unique())
        axes.set_xticks(ticks, [f"{each:.3g}" for each in ticks], minor=False)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("Variants found")
    panels[0].legend()
    return drawn


def simulate(folder: Path) -> None:
    """Write a folder in which phantoms stand for what was measured."""
    folder.mkdir(exist_ok=True)
    index = []
    for seed, (null, donor) in enumerate(DONORS.items()):
        for name, anomaly in ((null, None), (donor, PeakShift(3, radius=2, discs=1))):
            phantom = bifeo3((10, 20), 100, 690, 0.5, anomaly=anomaly, seed=seed)
            phantom.signal.save(folder / f"{name}.hspy", overwrite=True)
            np.save(folder / f"{name}.npy", phantom.truth.data)
            truth = f"{name}.npy" if anomaly else "null"
            index.append({"name": name, "file": f"{name}.hspy", "truth": truth, "ignore": None})
    (folder / "index.json").write_text(json.dumps(index))


if __name__ == "__main__":
    main()
