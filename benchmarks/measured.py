"""What is found in measured spectrum images with known answers, beside plain reconstructions.

A folder holds spectrum images and an ``index.json``, a list with ``name``, ``file``, ``kind``,
``truth`` (a boolean array in a file, or ``"null"`` where nothing is anomalous) and ``ignore``
(pixels that count neither way, or null). Each is judged by the mean spectrum, PCA, low
rank, the 3D-CVAE and the defaults, on the path of the product.

    python benchmarks/measured.py FOLDER [FOLDER ...]

writes results in JSON, a table in reStructuredText and a figure with all maps into
benchmarks/results. ``--quick`` simulates a folder of its own, as a test that it runs.

Average precision (AP) is that of the score; X-ray hits count as found. False pixels are those of
the mask outside the truth and a rim of one pixel around it. Six lines of numpy are judged in the
same way: chi-squared to the mean spectrum, above its median plus 8 robust standard deviations.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import hyperspy.api as hs
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.stats import median_abs_deviation
from sklearn.metrics import average_precision_score

from hyperspy_cvae.phantoms import PeakShift, bifeo3
from hyperspy_cvae.plotting import outline
from hyperspy_cvae.reconstruction import Mean
from hyperspy_cvae.signals import AnomalyMaps, EELSAnomalySignal
from hyperspy_cvae.signals._comparison import Comparison

Mask = NDArray[np.bool_]
SIX_LINES = "six lines"


def by_mean(signal: EELSAnomalySignal) -> AnomalyMaps:
    """Judge by the mean spectrum, as any reconstruction is judged."""
    with signal._recorded(None, None) as recorded:
        comparison = Comparison.with_fitted(recorded, Mean(), "mean")
        return comparison.judge(None, "combined", "auto")


def by_default(signal: EELSAnomalySignal) -> AnomalyMaps:
    """Judge by the defaults, without the network that another detector has left."""
    signal = signal.deepcopy()
    if hasattr(signal.learning_results, "cvae"):
        del signal.learning_results.cvae
    return signal.detect_anomalies()


DETECTORS: dict[str, Callable[[EELSAnomalySignal], AnomalyMaps]] = {
    "mean": by_mean,
    "PCA-4": lambda signal: signal.detect_anomalies(method="pca"),
    "low rank": lambda signal: signal.detect_anomalies(method="lowrank"),
    "3D-CVAE": lambda signal: signal.detect_anomalies(method="cvae"),
    "auto": by_default,
}


def main() -> None:
    """Judge all cases, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--names", nargs="+", help="cases whose name contains one of these")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if not options.folders and not options.quick:
        parser.error("give a folder with an index.json, or --quick")
    options.output.mkdir(parents=True, exist_ok=True)
    if options.quick:
        simulate(options.output / "measured_quick")
        options.folders.append(options.output / "measured_quick")
    hs.preferences.General.show_progressbar = False
    warnings.simplefilter("ignore")
    rows: list[dict] = []  # type: ignore[type-arg]
    pictures = []
    for folder in options.folders:
        for case in json.loads((folder / "index.json").read_text()):
            if options.names and not any(word in case["name"] for word in options.names):
                continue
            found, picture = judged(folder, case)
            rows += found
            pictures.append(picture)
            print(pd.DataFrame(found).to_string(index=False, header=len(rows) == len(found)))
    if not rows:
        parser.error("no case of that name")
    (options.output / "measured.json").write_text(json.dumps(rows, indent=1))
    (options.output / "measured.rst").write_text(table(pd.DataFrame(rows)))
    figure(pictures).savefig(options.output / "measured.png", dpi=100)
    print(summary(pd.DataFrame(rows)))


def judged(folder: Path, case: dict) -> tuple[list[dict], tuple]:  # type: ignore[type-arg]
    """Return what every detector finds in a case, and its maps."""
    signal = hs.load(folder / case["file"], signal_type="EELSAnomaly")
    shape = np.atleast_2d(signal.data[..., 0]).shape

    def mask_in(name: str | None) -> Mask:
        if name in (None, "null"):
            return np.zeros(shape, bool)
        return np.load(folder / name).astype(bool).reshape(shape)

    truth, ignored = mask_in(case["truth"]), mask_in(case.get("ignore"))
    maps: dict[str, tuple[NDArray[np.floating], Mask, Mask, float]] = {}
    chi2 = chi_squared(signal.data.reshape(*shape, -1))
    limit = np.median(chi2) + 8 * median_abs_deviation(chi2, axis=None, scale="normal")
    maps[SIX_LINES] = -chi2, chi2 > limit, np.zeros(shape, bool), 0.0
    for name, detector in DETECTORS.items():
        start = time.perf_counter()
        found = detector(signal)
        seconds = time.perf_counter() - start
        score, mask, hits = (
            each.data.reshape(shape) for each in (found.score, found.mask, found.artefacts)
        )
        maps[name] = score, mask, hits, seconds
    rows = [
        {"case": case["name"], "kind": case["kind"], "detector": name}
        | figures(truth, ignored, *some)
        for name, some in maps.items()
    ]
    return rows, (case["name"], truth, maps)


def chi_squared(counts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the chi-squared of every spectrum to the mean spectrum, scaled to its sum."""
    counts = np.maximum(counts.astype(float), 0)
    mean = counts.sum((0, 1)) / counts.sum()
    alive = mean > 0
    expected = counts.sum(-1, keepdims=True) * mean[alive]
    chi2 = np.square(counts[..., alive] - expected) / np.maximum(expected, 1e-9)
    return np.asarray(chi2.mean(-1))


def figures(
    truth: Mask,
    ignored: Mask,
    score: NDArray[np.floating],
    mask: Mask,
    hits: Mask,
    seconds: float,
) -> dict[str, float]:
    """Return how a map agrees with the truth."""
    near = binary_dilation(truth, np.ones((3, 3))) | ignored
    found = {
        "pixels": truth.size,
        "true": int(truth.sum()),
        "found": int(((mask | hits) & truth).sum()),
        "false": int((mask & ~near).sum()),
        "artefacts": int((hits & ~truth & ~ignored).sum()),
        "seconds": round(seconds, 1),
    }
    counted = ~ignored.ravel()
    normality = np.nan_to_num(score.astype(float), nan=np.inf).ravel()
    anomaly = -np.nan_to_num(normality, posinf=np.nanmax(np.append(score, 0.0)))
    found["AP"] = (
        float(average_precision_score(truth.ravel()[counted], anomaly[counted]))
        if truth.any()
        else float("nan")
    )
    return found


def table(rows: pd.DataFrame) -> str:
    """Return the results in reStructuredText, a line for each case."""
    names = list(dict.fromkeys(rows["detector"]))
    header = ", ".join(f'"{each}"' for each in ("case", "true", *names))
    lines = [".. csv-table:: AP, true pixels found, false ones", f"   :header: {header}", ""]
    for case, some in rows.groupby("case", sort=False):
        cells = [
            f"{'' if np.isnan(row.AP) else f'{row.AP:.2f}, '}{row.found}, {row.false}"
            for row in some.itertuples()
        ]
        quoted = ", ".join(f'"{each}"' for each in cells)
        lines.append(f'   "{case}", {some["true"].iloc[0]}, {quoted}')
    return "\n".join([*lines, ""])


def summary(rows: pd.DataFrame) -> str:
    """Return in how many cases each detector finds half of what is there, and flags what is not."""
    lines = []
    for name, some in rows.groupby("detector", sort=False):
        there, null = some[some["true"] > 0], some[some["true"] == 0]
        lines.append(
            f"{name}: half or more found in {(2 * there.found >= there.true).sum()} of "
            f"{len(there)}, mean AP {there.AP.mean():.2f}, false pixels in "
            f"{(null.false > 0).sum()} of {len(null)} nulls, {some.seconds.median():.1f} s"
        )
    return "\n".join(lines)


def figure(pictures: list[tuple]) -> plt.Figure:  # type: ignore[type-arg]
    """Draw the score maps of all cases, with what is true and what was found outlined."""
    names = list(pictures[0][2])
    drawn, panels = plt.subplots(
        len(pictures),
        len(names),
        figsize=(2.6 * len(names), 1.5 * len(pictures) + 0.6),
        layout="constrained",
        squeeze=False,
    )
    for line, (case, truth, maps) in zip(panels, pictures, strict=True):
        wide = (lambda values: values.T) if truth.shape[1] == 1 else (lambda values: values)
        for axes, (score, mask, hits, _) in zip(line, maps.values(), strict=True):
            shown = wide(score)
            size = (0, shown.shape[1], shown.shape[0], 0)
            limits = np.nanpercentile(shown, (0.5, 99.5))
            axes.imshow(
                shown, "cividis", aspect="auto", extent=size, vmin=limits[0], vmax=limits[1]
            )
            for each, colour in ((truth, "white"), (mask, "#d55e00")):
                for (x, y), (x2, y2) in outline(wide(each), (1.0, 1.0)):
                    axes.plot((x, x2), (y, y2), color=colour, lw=1)
            rows, columns = np.nonzero(wide(hits))
            axes.plot(columns + 0.5, rows + 0.5, "x", color="#e7298a", ms=4)
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(case, rotation=0, ha="right", va="center", fontsize="small")
    for axes, name in zip(panels[0], names, strict=True):
        axes.set_title(name)
    drawn.supxlabel("white: true, vermilion: found, crosses: X-ray hits", fontsize="small")
    return drawn


def simulate(folder: Path) -> None:
    """Write a folder with two small cases."""
    folder.mkdir(exist_ok=True)
    index = []
    for name, anomaly in (("shift", PeakShift(3, radius=2, discs=1)), ("null", None)):
        phantom = bifeo3((12, 14), 100, 690, 0.5, anomaly=anomaly, seed=1)
        phantom.signal.save(folder / f"{name}.hspy", overwrite=True)
        np.save(folder / f"{name}.npy", phantom.truth.data)
        truth = f"{name}.npy" if anomaly else "null"
        case = {"name": name, "file": f"{name}.hspy", "kind": "simulated", "truth": truth}
        index.append(case | {"ignore": None})
    (folder / "index.json").write_text(json.dumps(index))


if __name__ == "__main__":
    main()
