"""``hyperspy-cvae demo``: what it finds in a spectrum image whose truth is known."""

import platform
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    precision_recall_fscore_support,
)

from hyperspy_cvae._version import __version__
from hyperspy_cvae.cli._console import say, show_progress
from hyperspy_cvae.cli._detect import trained
from hyperspy_cvae.cli._output import check_free, complete_or_not, write_page
from hyperspy_cvae.plotting import plot_comparison

if TYPE_CHECKING:
    from hyperspy_cvae.signals import AnomalyMaps

RANGE = (690.0, 730.0)
SHIFT = 3.9
COMPONENTS = 4

_MAPS = ("cvae", "pca")
_ENDS = ("-pcc.hspy", "-combined.hspy", "-mask.hspy", "-regions.csv", ".png")
_FILES = (
    *(f"{name}{end}" for name in _MAPS for end in _ENDS),
    "truth.hspy",
    "cvae.safetensors",
    "demo.png",
    "summary.html",
)
_PACKAGES = ("hyperspy", "exspy", "torch", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Size:
    """How large the simulated spectrum image is, and how long the CVAE is trained on it.

    Parameters
    ----------
    shape
        Rows and columns of the scan.
    lowest
        Energy loss in eV from which on channels are kept.
    epochs
        Epochs of training; the package's default if None.
    """

    shape: tuple[int, int]
    lowest: float
    epochs: int | None = None


FULL = Size((144, 144), 515.0)  # from before O K, which tells what kind of bulk a pixel is
QUICK = Size((96, 96), 680.0)


@dataclass(frozen=True)
class Score:
    """How well one method agrees with the truth.

    Parameters
    ----------
    method
        Its name.
    hits, missed, false_alarms
        Numbers of anomalous pixels found and not found, and of others called anomalous.
    precision, recall, f1
        Of the mask; 0 where nothing was found.
    average_precision
        Of the map of the score, whatever the threshold.
    best_f1
        Largest F1 that a threshold on that map could have reached, chosen knowing the truth.
    threshold
        What was said about the threshold.
    """

    method: str
    hits: int
    missed: int
    false_alarms: int
    precision: float
    recall: float
    f1: float
    average_precision: float
    best_f1: float
    threshold: str

    @property
    def verdict(self) -> str:
        """What was found, in a sentence."""
        if self.hits == self.false_alarms == 0:
            return (
                f"{self.method} called no pixel anomalous and missed all {self.missed} that are. "
                "With the best threshold, chosen knowing the truth, its map would have reached "
                f"F1 {self.best_f1:.2f}."
            )
        return (
            f"{self.method} found {self.hits} of the {self.hits + self.missed} anomalous pixels "
            f"and called {self.false_alarms} others anomalous."
        )


def demo(folder: Path, quick: bool = False, seed: int = 0, overwrite: bool = False) -> int:
    """Simulate, search with both methods, compare with the truth, and write the results.

    Raises
    ------
    FileExistsError
        If a result exists and may not be replaced.
    """
    from hyperspy_cvae.phantoms import paper_si
    from hyperspy_cvae.signals import EELSAnomalySignal

    check_free(folder, _FILES, overwrite)
    begin = time.perf_counter()
    size, progress = QUICK if quick else FULL, show_progress()
    say(f"Simulating a spectrum image of {size.shape[0]} x {size.shape[1]} pixels ...")
    phantom = paper_si(SHIFT, seed=seed, shape=size.shape)
    signal = phantom.signal.isig[size.lowest :]
    assert isinstance(signal, EELSAnomalySignal)
    truth = np.asarray(phantom.truth.data, bool)
    channels = signal.axes_manager.signal_size
    say(f"{channels} channels; {truth.sum()} of {truth.size} pixels are anomalous.")

    say("Training the CVAE ...")
    start = time.perf_counter()
    model = trained(signal, size.epochs, seed)
    training = time.perf_counter() - start
    say(f"{model.describe()['epochs']} epochs in {training:.0f} s.")
    say(f"Searching {RANGE[0]:g}-{RANGE[1]:g} eV with the CVAE and with PCA ...")
    maps = {
        "CVAE": signal.detect_anomalies(RANGE, model=model, show_progressbar=progress),
        f"PCA, {COMPONENTS} components": signal.detect_anomalies(
            RANGE, method="pca", n_components=COMPONENTS, show_progressbar=progress
        ),
    }
    scores = [score(method, found, truth) for method, found in maps.items()]
    say(table(scores))
    for each in scores:
        say(each.verdict)

    with complete_or_not(folder, overwrite) as draft:
        for name, found in zip(_MAPS, maps.values(), strict=True):
            found.save(draft, name)
        phantom.truth.save(draft / "truth.hspy")
        model.save(draft / "cvae.safetensors")
        columns, rows = phantom.truth.axes_manager.signal_axes
        figure = plot_comparison(
            [
                (method, found.score.data, found.mask.data, found.threshold)
                for method, found in maps.items()
            ],
            truth,
            scale=(rows.scale, columns.scale),
            units=str(rows.units),
            quantity="Combined score",
            title=f"{RANGE[0]:g}-{RANGE[1]:g} eV; Fe L2,3 shifted by {SHIFT:g} eV in discs",
        )
        figure.savefig(draft / "demo.png", dpi=150)
        plt.close(figure)
        write_page(
            draft / "summary.html",
            "demo.html",
            picture=b64encode((draft / "demo.png").read_bytes()).decode("ascii"),
            scores=scores,
            shape=size.shape,
            channels=channels,
            shift=SHIFT,
            signal_range=RANGE,
            anomalous=int(truth.sum()),
            model=model.describe(),
            training=training,
            seed=seed,
            quick=quick,
            versions={name: version(name) for name in _PACKAGES},
            python=platform.python_version(),
            version=__version__,
        )
    say(f"Done in {time.perf_counter() - begin:.0f} s. Open {folder / 'summary.html'}.")
    return 0


def score(method: str, found: "AnomalyMaps", truth: NDArray[np.bool_]) -> Score:
    """Compare the maps of one method with the truth; pixels not judged count as normal."""
    mask, scores = np.asarray(found.mask.data, bool), np.asarray(found.score.data)
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth.ravel(), mask.ravel(), average="binary", zero_division=0
    )
    normality = np.nan_to_num(scores, nan=np.inf).ravel()
    precisions, recalls, _ = precision_recall_curve(truth.ravel(), -normality)
    best_f1 = (2 * precisions * recalls / np.maximum(precisions + recalls, 1e-12)).max()
    return Score(
        method=method,
        hits=int((mask & truth).sum()),
        missed=int((truth & ~mask).sum()),
        false_alarms=int((mask & ~truth).sum()),
        precision=float(precision),
        recall=float(recall),
        f1=float(f1),
        average_precision=float(average_precision_score(truth.ravel(), -normality)),
        best_f1=float(best_f1),
        threshold=found.threshold.reason,
    )


def table(scores: Sequence[Score]) -> str:
    """Return the scores as lines of text."""
    width = max(len(each.method) for each in scores)
    lines = [f"{'':<{width}}  recall  precision     F1  F1 at best  average precision"]
    lines.extend(
        f"{each.method:<{width}}  {each.recall:6.3f}  {each.precision:9.3f}  {each.f1:5.3f}  "
        f"{each.best_f1:10.3f}  {each.average_precision:17.3f}"
        for each in scores
    )
    return "\n".join(lines)
