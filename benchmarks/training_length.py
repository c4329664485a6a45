"""Average precision over the steps of a training, for scans of many sizes.

Simulated crystals without and with domain walls, of 10 x 10 to 192 x 192 pixels and 500 channels,
hold discs in which Fe L is shifted by 2.4 eV (10 x 10 to 64 x 64 pixels) or .9 eV. A network is
trained on each with several numbers of steps, and judges it by the combined score in 690-740 eV.

    python benchmarks/training_length.py

writes a table and a figure into benchmarks/results; after every training, so that it may be
stopped. The seeds are those of tuning: a default chosen by this is not to be measured by it.
"""

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from hyperspy_cvae.detection import find_anomalies
from hyperspy_cvae.phantoms import Detector, FineStructure, PeakShift, Structure, bifeo3
from hyperspy_cvae.reconstruction import CVAE, PCA, CVAEConfig
from hyperspy_cvae.training import TrainingConfig

OFFSET, DISPERSION, CHANNELS, LOW, HIGH = 500.0, 0.5, 500, 690.0, 740.0
STRUCTURES = {
    "smooth": Structure(domains=(FineStructure(),), wall_width=0, strain=0.5),
    "domain walls": Structure(domain_size=24, wall_width=2),
}
DISCS = {10: (1, 1.0), 20: (2, 1.5), 32: (3, 2.0), 64: (4, 3.0), 96: (4, 4.0)}
LARGE = {144: (4, 5.0), 192: (4, 7.0)}
STEPS = (2, 4, 8, 16, 32, 64)  # of an epoch


def main() -> None:
    """Train, judge and write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=(320, 321))
    parser.add_argument("--sizes", type=int, nargs="+", default=(*DISCS, *LARGE))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    rows: list[dict] = []  # type: ignore[type-arg]
    for seed in options.seeds:
        for side in options.sizes:
            for structure in STRUCTURES:
                for row in trained(side, structure, seed):
                    rows.append(row)
                    print(row, flush=True)
                    results = pd.DataFrame(rows).round({"seconds": 1, "AP": 4})
                    results.to_csv(options.output / "training_length.csv", index=False)
    figure(results).savefig(options.output / "training_length.png", dpi=150)


def trained(side: int, structure: str, seed: int):  # type: ignore[no-untyped-def]
    """Yield what networks of several trainings, and PCA, make of one scan."""
    discs, radius = {**DISCS, **LARGE}[side]
    anomaly = PeakShift(2.4 if side in DISCS else 0.9, radius=radius, discs=discs)
    phantom = bifeo3(
        (side, side),
        CHANNELS,
        OFFSET,
        DISPERSION,
        STRUCTURES[structure],
        Detector(dose=42),
        anomaly,
        seed,
    )
    cube, truth = phantom.signal.data, phantom.truth.data.astype(bool)
    energy = phantom.signal.axes_manager.signal_axes[0].axis
    window = (energy >= LOW) & (energy <= HIGH)
    of = {"side": side, "structure": structure, "seed": seed}

    def precision(expected: np.ndarray) -> float:
        everywhere = np.ones(cube.shape[:2], bool)
        scores = find_anomalies(cube[..., window], expected[..., window], 2, everywhere).scores
        normality = np.nan_to_num(scores, nan=np.inf)
        return float(average_precision_score(truth.ravel(), -normality.ravel()))

    yield {**of, "method": "bulk", "AP": precision(phantom.bulk.data)}
    yield {**of, "method": "PCA-4", "AP": precision(PCA(4).fit(cube).reconstruct(cube))}
    for steps in STEPS:
        if side in LARGE and steps < 16:  # which is far too few
            continue
        if side < 64 and steps > 32:
            continue
        start = time.perf_counter()
        training = TrainingConfig(steps_per_epoch=steps)
        model = CVAE(CVAEConfig(training=training)).fit(cube)
        seconds = time.perf_counter() - start
        row = {**of, "method": "CVAE", "AP": precision(model.reconstruct(cube))}
        yield {**row, "steps": training.epochs * steps, "seconds": seconds}


def figure(results: pd.DataFrame) -> plt.Figure:
    """Draw average precision over steps, a panel for each size."""
    sizes = sorted(results["side"].unique())
    drawn, panels = plt.subplots(
        2,
        -(-len(sizes) // 2),
        figsize=(10, 5),
        sharex=True,
        sharey=True,
        layout="constrained",
        squeeze=False,
    )
    colours = dict(zip(STRUCTURES, ("C0", "C1"), strict=True))
    for axes, side in zip(panels.flat, sizes, strict=False):
        here = results[results["side"] == side]
        for (structure, seed), rows in here.groupby(["structure", "seed"]):
            by_cvae = rows[rows["method"] == "CVAE"]
            label = structure if seed == results["seed"].min() else None
            axes.plot(
                by_cvae["steps"], by_cvae["AP"], "o-", ms=4, color=colours[structure], label=label
            )
        default = TrainingConfig().epochs * TrainingConfig().steps(side**2)
        axes.axvline(default, color="0.6", ls="--", lw=1, label="default")
        axes.set(title=f"{side} x {side} pixels", xscale="log", ylim=(0, 1.03))
        axes.grid(alpha=0.3)
    for axes in panels.flat[len(sizes) :]:
        axes.set_axis_off()
    for axes in panels[0, len(sizes) % 2 * -1 :] if len(sizes) % 2 else []:
        axes.tick_params(labelbottom=True)
    for axes in panels[:, 0]:
        axes.set_ylabel("Average precision")
    for axes in panels[-1]:
        axes.set_xlabel("Steps of the training")
    panels[0, 0].legend(fontsize="small")
    return drawn


if __name__ == "__main__":
    main()
