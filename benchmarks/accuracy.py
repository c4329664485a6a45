"""Average precision over kinds of crystal, anomaly, fraction, dose and camera, beside alternatives.

Every case is simulated with known truth. The 3D-CVAE with default settings, the mean, the tile
median, PCA and robust PCA go through the same steps and are compared by the same scores; RX
(Spectral Python), isolation forest and autoencoder (PyOD) score by themselves. The noise-free bulk
stands for a perfect reconstruction.

    python -m pip install -e ".[benchmarks]"
    python benchmarks/accuracy.py --seeds 2041 2042 2043

writes results in JSON, a table in reStructuredText and a figure into benchmarks/results; after
every case, so that it may be stopped. ``--resume`` leaves out what that JSON holds already.
``--cases walls columns`` runs those whose name contains one of the words.
``--quick`` runs three cases on a small scan with little training, as a test that it runs.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from hyperspy.signals import Signal1D
from paper_table import found_by_default
from pyod.models.auto_encoder import AutoEncoder
from pyod.models.iforest import IForest
from scipy.ndimage import label
from sklearn.decomposition import PCA as Components
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score
from spectral import rx

from hyperspy_cvae import __version__
from hyperspy_cvae.detection import (
    anomalous,
    find_low_scores,
    otsu_threshold,
    pearson_correlation,
)
from hyperspy_cvae.phantoms import (
    UNIFORM,
    Detector,
    FineStructure,
    LocalChemistry,
    PeakShift,
    Phantom,
    Structure,
    bifeo3,
)
from hyperspy_cvae.reconstruction import (
    CVAE,
    PCA,
    CVAEConfig,
    LowRank,
    Mean,
    Reconstructor,
    TileMedian,
)
from hyperspy_cvae.training import TrainingConfig

OFFSET, DISPERSION, CHANNELS = 500.0, 0.5, 500
SCORES = ("pcc", "combined")
FE_L, O_K, ALL = (690.0, 740.0), (520.0, 560.0), (505.0, 745.0)
STRUCTURES = {
    "uniform": UNIFORM,
    "smooth": Structure(domains=(FineStructure(),), wall_width=0, strain=0.5),
    "walls": Structure(domain_size=24, wall_width=2),
    "layers": Structure(
        domains=(
            FineStructure(),
            FineStructure(l3=712.0, l2=0.6, prepeak=0.3, iron=0.6),
            FineStructure(oxygen=532.0, prepeak=0.15, iron=0),
        ),
        layered=True,
        strain=0.1,
    ),
    "columns": Structure(
        domains=(FineStructure(), FineStructure(l3=712.5)),
        domain_size=24,
        column=FineStructure(l3=715.0, splitting=2.4, l2=0.6, prepeak=0.35),
        strain=0.1,
    ),
}
ANOMALIES = {
    "0.9 eV": (PeakShift(0.9), FE_L),
    "2.4 eV": (PeakShift(2.4), FE_L),
    "3.9 eV": (PeakShift(3.9), FE_L),
    "valence": (LocalChemistry(l3=-1.6, l2=-0.1), FE_L),
    "prepeak": (LocalChemistry(prepeak=0.3), O_K),
    "12 % Mn": (LocalChemistry(manganese=0.12), ALL),
    "none": (None, ALL),
}
DETECTORS = {
    "indirect": Detector(),
    "counting": Detector(gain=1, read_noise=0, dark=0, correlation=0),
}


@dataclass(frozen=True)
class Case:
    """One kind of spectrum image: fraction in percent of the pixels, dose as in ``Detector``."""

    structure: str
    anomaly: str
    fraction: float
    dose: float
    detector: str

    def __str__(self) -> str:
        return (
            f"{self.structure}, {self.anomaly}, {self.fraction:g} %, {self.dose:g} e, "
            f"{self.detector}"
        )

    def phantom(self, seed: int, shape: tuple[int, int]) -> tuple[Phantom, np.ndarray]:
        """Return the spectrum image and the channels to compare."""
        anomaly, (low, high) = ANOMALIES[self.anomaly]
        if anomaly:
            count = {0.05: 1, 0.2: 1, 1.6: 4, 5.0: 5}[self.fraction]
            area = self.fraction / 100 * shape[0] * shape[1] / count
            anomaly = replace(anomaly, discs=count, radius=max(1.0, np.sqrt(area / np.pi)))
        phantom = bifeo3(
            shape,
            CHANNELS,
            OFFSET,
            DISPERSION,
            STRUCTURES[self.structure],
            replace(DETECTORS[self.detector], dose=self.dose),
            anomaly,
            seed,
        )
        energy = phantom.signal.axes_manager.signal_axes[0].axis
        return phantom, (energy >= low) & (energy <= high)


CASES = [
    Case("uniform", "0.9 eV", 1.6, 42, "indirect"),
    Case("uniform", "2.4 eV", 0.2, 5, "counting"),
    Case("uniform", "none", 0, 42, "indirect"),
    Case("smooth", "0.9 eV", 1.6, 42, "indirect"),
    Case("smooth", "2.4 eV", 1.6, 15, "counting"),
    Case("smooth", "12 % Mn", 1.6, 42, "indirect"),
    Case("smooth", "none", 0, 42, "indirect"),
    Case("walls", "0.9 eV", 1.6, 60, "indirect"),
    Case("walls", "2.4 eV", 1.6, 42, "indirect"),
    Case("walls", "2.4 eV", 0.2, 42, "indirect"),
    Case("walls", "2.4 eV", 1.6, 5, "counting"),
    Case("walls", "3.9 eV", 0.05, 60, "indirect"),
    Case("walls", "3.9 eV", 5.0, 42, "indirect"),
    Case("walls", "valence", 1.6, 42, "indirect"),
    Case("walls", "prepeak", 1.6, 60, "indirect"),
    Case("walls", "12 % Mn", 1.6, 42, "indirect"),
    Case("walls", "none", 0, 42, "indirect"),
    Case("layers", "prepeak", 0.2, 60, "indirect"),
    Case("layers", "prepeak", 1.6, 42, "indirect"),
    Case("layers", "prepeak", 5.0, 15, "counting"),
    Case("layers", "none", 0, 42, "indirect"),
    Case("columns", "0.9 eV", 1.6, 42, "indirect"),
    Case("columns", "2.4 eV", 5.0, 15, "counting"),
    Case("columns", "valence", 1.6, 42, "indirect"),
    Case("columns", "12 % Mn", 0.2, 60, "indirect"),
    Case("columns", "none", 0, 15, "counting"),
]


def main() -> None:
    """Run the cases and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=(2041, 2042, 2043))
    parser.add_argument(
        "--cases", nargs="+", default=[""], help="run the cases whose name contains one of these"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the results there are")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    cases = [case for case in CASES if any(word in str(case) for word in options.cases)]
    if not cases:
        parser.error(f"no case contains one of {options.cases}; the last is {str(CASES[-1])!r}")
    if options.quick:
        cases = [CASES[0], CASES[16], CASES[18]]
    shape = (48, 48) if options.quick else (144, 144)
    training = TrainingConfig(epochs=2) if options.quick else TrainingConfig()
    options.output.mkdir(parents=True, exist_ok=True)
    entries: list[dict] = []  # type: ignore[type-arg]
    if options.resume:
        entries = json.loads((options.output / "accuracy.json").read_text())["results"]
    done = {(entry["case"], entry["seed"]) for entry in entries}
    if entries:
        write(pd.DataFrame(entries), options.output / "accuracy")
    for seed in options.seeds[:1] if options.quick else options.seeds:
        for case in cases:
            if (str(case), seed) in done:
                continue
            start = time.perf_counter()
            entries += run(case, seed, shape, training)
            print(f"{case}, seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)
            write(pd.DataFrame(entries), options.output / "accuracy")
    print((options.output / "accuracy.rst").read_text())


def run(case: Case, seed: int, shape: tuple[int, int], training: TrainingConfig) -> list[dict]:  # type: ignore[type-arg]
    """Return what every method finds in one spectrum image."""
    phantom, window = case.phantom(seed, shape)
    cube, truth = phantom.signal.data, np.asarray(phantom.truth.data, bool)
    to_clean = fit_all_to_clean(replace(case, anomaly="none", fraction=0), seed, shape, training)
    entries = []

    def judge(method: str, fitted_to: str, score: str, scores=None, expected=None) -> None:  # type: ignore[no-untyped-def]
        if score == "combined":  # the default, and all of what the default does
            model = fitted.get(fitted_to, {}).get(method)
            scores, mask, _ = found_by_default(cube, expected, window, model, DISPERSION)
        else:
            mask = find_low_scores(scores).mask
        names = {"case": str(case), "seed": seed, "method": method, "fitted to": fitted_to}
        entries.append({**names, "score": score, **figures(scores, mask, truth)})

    spectra = {("noise-free bulk", "none"): phantom.bulk.data}
    fitted = {"itself": to_clean}
    if truth.any():
        fitted = {"itself": fit_all(cube, training), "clean": to_clean}
    for name, methods in fitted.items():
        for method, reconstructor in methods.items():
            if (method, name) != ("tile median", "clean"):
                spectra[method, name] = reconstructor.reconstruct(cube)
    for (method, fitted_to), expected in spectra.items():
        for score in SCORES:
            scores = None
            if score == "pcc":
                scores = pearson_correlation(cube[..., window], expected[..., window])
            judge(method, fitted_to, score, scores, expected)
    for method, scores in detectors(cube[..., window], seed):
        judge(method, "itself", "own", scores)
    return entries


@lru_cache(maxsize=4)
def fit_all_to_clean(
    case: Case, seed: int, shape: tuple[int, int], training: TrainingConfig
) -> dict[str, Reconstructor]:
    """Return the methods fitted to a case without anomalies, which several cases share."""
    return fit_all(case.phantom(seed, shape)[0].signal.data, training)


def fit_all(cube: np.ndarray, training: TrainingConfig) -> dict[str, Reconstructor]:
    """Return whatever reconstructs, fitted."""
    methods = {
        "3D-CVAE": CVAE(CVAEConfig(training=training)),
        "low rank": LowRank(),
        "mean": Mean(),
        "tile median": TileMedian(),
        **{f"PCA-{components}": PCA(components) for components in (3, 4, 5)},
        "robust PCA-4": RobustPCA(4),
    }
    return {name: method.fit(cube) for name, method in methods.items()}


class RobustPCA(PCA):
    """HyperSpy's online robust PCA, which takes outliers for sparse."""

    def fit(self, cube, use=None):  # type: ignore[no-untyped-def]
        """Learn the components."""
        signal = Signal1D(cube / cube.mean())
        signal.decomposition(
            algorithm="ORPCA", output_dimension=self.n_components, print_info=False
        )
        self.components = np.linalg.qr(signal.learning_results.factors)[0]
        return self


def detectors(measured: np.ndarray, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the scores of what scores without reconstructing, higher for more normal."""
    yield "RX", -np.asarray(rx(measured.astype(np.float64)))
    # Counts over the root of their mean have about the same noise in every channel.
    flat = measured.reshape(-1, measured.shape[2])
    mean = flat.mean(0)
    reduced = Components(20, random_state=seed).fit_transform(flat / np.sqrt(np.maximum(mean, 1)))
    torch.manual_seed(seed)
    for name, detector in (
        ("isolation forest", IForest(random_state=seed)),
        ("autoencoder", AutoEncoder(epoch_num=10, random_state=seed, verbose=0)),
    ):
        yield name, -detector.fit(reduced).decision_scores_.reshape(measured.shape[:2])


def figures(scores: np.ndarray, mask: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return the figures of merit of a map and of its mask by the automatic threshold."""
    by_otsu = anomalous(scores, otsu_threshold(scores))
    found = {"flagged": int(mask.sum()), "flagged by Otsu": int(by_otsu.sum())}
    if truth.any():
        flat, low = truth.ravel(), -scores.ravel()
        precision, recall, _ = precision_recall_curve(flat, low)
        regions, count = label(truth)
        found |= {
            "AP": average_precision_score(flat, low),
            "AUROC": roc_auc_score(flat, low),
            "best F1": float((2 * precision * recall / np.maximum(precision + recall, 1e-9)).max()),
            "F1": f1_score(flat, mask.ravel()),
            "F1 by Otsu": f1_score(flat, by_otsu.ravel()),
            "regions found": float(
                np.mean([mask[regions == each].mean() > 0.5 for each in range(1, count + 1)])
            ),
        }
    return found


def write(results: pd.DataFrame, name: Path) -> None:
    """Write results, table and figure."""
    record = {
        "version": __version__,
        "threads": torch.get_num_threads(),
        "results": results.astype(object).where(results.notna(), None).to_dict("records"),
    }
    name.with_suffix(".json").write_text(json.dumps(record, indent=1))
    name.with_suffix(".rst").write_text(rst(results))
    if "AP" in results:
        drawn = figure(results)
        drawn.savefig(name.with_suffix(".png"), dpi=150)
        plt.close(drawn)


def compared(results: pd.DataFrame) -> pd.DataFrame:
    """Return the rows to compare: by the combined score, or by a detector's own."""
    rows = results[results["score"].isin(["combined", "own"]) & results["AP"].notna()]
    return rows.assign(
        label=np.where(rows["fitted to"] == "clean", rows["method"] + ", clean", rows["method"])
    )


def rst(results: pd.DataFrame) -> str:
    """Return the tables: average precision by method and by score, and false alarms."""
    seeds = ", ".join(map(str, results["seed"].unique()))
    lines = []

    def table(title: str, frame: pd.DataFrame, form: str) -> None:
        header = ", ".join(f'"{each}"' for each in ["case", *frame.columns])
        lines.extend([f".. csv-table:: {title}", f"   :header: {header}", ""])
        for case, row in frame.iterrows():
            values = ", ".join("" if pd.isna(each) else format(each, form) for each in row)
            lines.append(f'   "{case}", {values}')
        lines.append("")

    if "AP" in results:
        rows = compared(results)
        # Fitted to a clean scan, the averages and PCA with fewer components are hardly better.
        rows = rows[rows["fitted to"].ne("clean") | rows["method"].isin(["3D-CVAE", "PCA-5"])]
        order = {"index": "case", "columns": "label", "values": "AP", "sort": False}
        mean = rows.pivot_table(**order, aggfunc="mean")
        table(f"Average precision, combined score, mean of the seeds {seeds}", mean, ".2f")
        if results["seed"].nunique() > 1:
            spread = rows.pivot_table(**order, aggfunc=np.ptp)
            table("Its spread, largest less smallest", spread, ".2f")
        cvae = results[(results["method"] == "3D-CVAE") & (results["fitted to"] == "itself")]
        by_score = cvae[cvae["AP"].notna()].pivot_table(
            index="case", columns="score", values="AP", sort=False
        )
        table("Average precision of the 3D-CVAE by score", by_score, ".2f")
        combined = cvae[(cvae["score"] == "combined") & cvae["AP"].notna()]
        masks = combined.pivot_table(
            index="case",
            values=["F1", "best F1", "F1 by Otsu", "regions found"],
            sort=False,
        )[["F1", "best F1", "F1 by Otsu", "regions found"]]
        table("Masks of the 3D-CVAE by the automatic threshold, combined score", masks, ".2f")
    clean = results[results["case"].str.contains("none")]
    if len(clean):
        clean = clean[clean["score"].isin(["combined", "own", "pcc"])]
        clean = clean.assign(label=clean["method"] + ", " + clean["score"])
        clean = clean[clean["score"].ne("pcc") | clean["method"].eq("3D-CVAE")]
        counts = clean.pivot_table(
            index="case", columns="label", values="flagged", sort=False, aggfunc="max"
        )
        table("Most pixels flagged where there is no anomaly", counts, ".0f")
    return "\n".join(lines)


def figure(results: pd.DataFrame) -> plt.Figure:
    """Draw average precision by case: CVAE, alternatives and noise-free bulk."""
    rows = compared(results)
    cases = list(rows["case"].unique())
    drawn, axes = plt.subplots(figsize=(8, 1.6 + 0.3 * len(cases)), layout="constrained")
    styles = {
        "noise-free bulk": ("|", "black", 12),
        "3D-CVAE": ("o", "C3", 8),
        "3D-CVAE, clean": ("o", "C3", 8),
        "low rank": ("*", "C4", 7),
        "mean": ("x", "C0", 6),
        "tile median": ("+", "C0", 7),
        "PCA-4": ("s", "C1", 5),
        "robust PCA-4": ("D", "C1", 5),
        "RX": ("^", "C2", 5),
        "isolation forest": ("v", "C2", 5),
        "autoencoder": ("<", "C2", 5),
    }
    for name, (marker, colour, size) in styles.items():
        mean = rows[rows["label"] == name].groupby("case")["AP"].mean()
        axes.plot(
            mean.reindex(cases),
            np.arange(len(cases)),
            marker,
            color=colour,
            ms=size,
            mfc="none" if "clean" in name else colour,
            ls="none",
            label=name,
        )
    axes.set_yticks(np.arange(len(cases)), cases, fontsize="small")
    axes.invert_yaxis()
    axes.set(xlim=(-0.02, 1.02), xlabel="Average precision, combined score")
    axes.grid(axis="x", alpha=0.3)
    drawn.legend(loc="outside upper center", ncols=5, fontsize="small")
    return drawn


if __name__ == "__main__":
    main()
