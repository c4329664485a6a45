"""Average precision over the time that training takes: where the default number of epochs is from.

The phantom matched to the paper's spectrum image, 192 x 192 pixels and 1312 channels, with the
shift of 0.9 eV: a network is trained on it for each number of epochs, and judges it by the combined
score in 690-730 eV.

    python benchmarks/training_time.py --seeds 102 104

writes a table and a figure into benchmarks/results. The seeds are those of tuning: a default chosen
by this is not to be measured by it.
"""

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
import torch
from sklearn.metrics import average_precision_score

from hyperspy_cvae.detection import score_spectra
from hyperspy_cvae.phantoms import paper_si
from hyperspy_cvae.reconstruction import CVAE, CVAEConfig
from hyperspy_cvae.training import TrainingConfig

EPOCHS = (6, 12, 24, 36, 48, 72, 96)
SHIFT, DISPERSION = 0.9, 0.3


def main() -> None:
    """Train, judge and write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=(102, 104))
    parser.add_argument("--epochs", type=int, nargs="+", default=EPOCHS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in options.seeds:
        phantom = paper_si(SHIFT, "roll", seed=seed)
        cube, truth = phantom.signal.data, phantom.truth.data.astype(bool)
        energy = phantom.signal.axes_manager.signal_axes[0].axis
        window = (energy >= 690) & (energy <= 730)
        for epochs in options.epochs:
            start = time.perf_counter()
            model = CVAE(CVAEConfig(training=TrainingConfig(epochs=epochs))).fit(cube)
            seconds = time.perf_counter() - start
            expected = model.reconstruct(cube)[..., window]
            scores = score_spectra(cube[..., window], expected, "combined", DISPERSION)
            precision = average_precision_score(truth.ravel(), -scores.ravel())
            rows.append({"seed": seed, "epochs": epochs, "seconds": seconds, "AP": precision})
            print(rows[-1], flush=True)
            results = pd.DataFrame(rows).round({"seconds": 1, "AP": 4})
            results.to_csv(options.output / "training_time.csv", index=False)
    figure(results).savefig(options.output / "training_time.png", dpi=150)


def figure(results: pd.DataFrame) -> plt.Figure:
    """Draw average precision over seconds, one line for each seed."""
    drawn, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    default = TrainingConfig().epochs
    for seed, rows in results.groupby("seed"):
        (line,) = axes.plot(rows["seconds"], rows["AP"], "o-", label=f"crystal of seed {seed}")
        chosen = rows[rows["epochs"] == default]
        axes.plot(chosen["seconds"], chosen["AP"], "o", color=line.get_color(), ms=12, mfc="none")
    for epochs, rows in results.groupby("epochs"):
        axes.annotate(
            f"{epochs}",
            (rows["seconds"].min(), rows["AP"].max()),
            xytext=(-5, 5),
            textcoords="offset points",
            ha="right",
            color="0.4",
            fontsize="small",
        )
    axes.plot([], [], "o", color="0.4", ms=12, mfc="none", label=f"default, {default} epochs")
    axes.set(
        xlabel=f"Training on {torch.get_num_threads()} CPU threads (s); numbers: epochs",
        ylabel="Average precision, 0.9 eV, combined score",
        ylim=(0, 1),
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return drawn


if __name__ == "__main__":
    main()
