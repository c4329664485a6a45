"""Time and memory beside HyperSpy's decomposition and other detectors, and how they grow.

On the phantom matched to the paper's spectrum image, 192 x 192 pixels and 1312 channels, every
subject runs in a process of its own, one after the other, for several rounds; times are given over
that of HyperSpy's ``decomposition()``, all components, of the same round. The published network
is timed by two steps of its training, for 300 epochs of 64 shards. Then training and detection
are timed once each on smaller and larger scans and on fewer channels: the exponent is that of
pixels or channels. Memory is right on Linux.

Small scans are timed from loading a file to the printed verdict, with defaults and with PCA, in
units of the decomposition of the large scan and of their own. A scan is trained on and judged
beside as many busy processes as there are cores, and alone. A step of Muon is timed in float32, as
it is taken here, and as torch takes it, in bfloat16, with one thread.

    python -m pip install -e ".[benchmarks]"
    python benchmarks/speed.py

writes results in JSON and tables in reStructuredText into benchmarks/results. ``--quick`` runs
everything once on small scans, as a test that it runs.
"""

import argparse
import json
import os
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

SEED, SHIFT = 7, 2.4
OFFSET, ENERGY_RANGE = 420.0, 393.6  # eV
REFERENCE = "decomposition(), all components"
TRAINING, DETECTION, BOTH = "train_cvae()", "detect_anomalies(), trained", "both"
PAPER_EPOCHS, PAPER_SHARDS = 300, 64
SMALL = [(10, 10, 1015), (32, 32, 1028), (64, 64, 1024)]
LONGEST_BUSY = 300  # seconds
Shape = tuple[int, int, int]


def main() -> None:
    """Run every subject, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="subjects whose name contains one of these")
    parser.add_argument("--no-growth", action="store_true", help="one size only")
    parser.add_argument("--no-small", action="store_true", help="no small scans, no busy machine")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    shape = (32, 32, 82) if options.quick else (192, 192, 1312)
    epochs = 1 if options.quick else None
    chosen = {
        name: subject
        for name, subject in SUBJECTS.items()
        if not options.only or name == REFERENCE or any(word in name for word in options.only)
    }
    if DETECTION in chosen:  # with the model of the same round
        chosen = {REFERENCE: decompose, TRAINING: train, **chosen}
    rows: list[dict] = []  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as folder:
        scans = Scans(Path(folder), epochs)
        for turn in range(1 if options.quick else options.rounds):
            for name, subject in chosen.items():
                rows.append({"subject": name, "round": turn, **scans.measure(subject, shape)})
                print(rows[-1], flush=True)
        results = pd.DataFrame(rows)
        growth, verdicts, busy = pd.DataFrame(), pd.DataFrame(), pd.DataFrame()
        if not options.no_growth:
            growth = pd.DataFrame(grow(scans, shape))
        if not options.no_small:
            reference = results[results["subject"] == REFERENCE]["seconds"].median()
            rounds = 1 if options.quick else options.rounds
            some = SMALL[:1] if options.quick else SMALL
            verdicts = pd.DataFrame(small(scans, some, reference, rounds))
            busy = pd.DataFrame(beside_others(scans, some[-1], rounds))
    tables = {"Growth": growth, "Verdicts": verdicts, "Busy": busy, "Muon": alone(precisions)}
    write(results, tables, shape, options.output / "speed")


class Scans:
    """Spectrum images and their trained models on disk, and subjects that are run on them."""

    def __init__(self, folder: Path, epochs: int | None) -> None:
        self.folder = folder
        self.epochs = epochs

    def measure(self, subject: Callable[[Path, int | None], float], shape: Shape) -> dict:  # type: ignore[type-arg]
        """Return time in s and peak memory in GiB of a subject on a scan of that shape."""
        path = self.folder / f"{shape[0]}x{shape[1]}x{shape[2]}.npy"
        if not path.exists():
            alone(simulate, path, shape)
        return alone(timed, subject, path, self.epochs)


def alone(function: Callable, *arguments):  # type: ignore[no-untyped-def,type-arg]
    """Run a function in a new process: what ran before leaves neither memory nor warm caches."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def simulate(path: Path, shape: Shape) -> None:
    """Write the counts of a phantom: the paper's, in as many channels."""
    from hyperspy_cvae.phantoms import PeakShift, bifeo3

    radius = max(1, round(7 * min(shape[:2]) / 192))
    anomaly = PeakShift(SHIFT, radius=radius)
    width = ENERGY_RANGE / shape[2]
    phantom = bifeo3(shape[:2], shape[2], OFFSET, width, anomaly=anomaly, seed=SEED)
    np.save(path, phantom.signal.data)


def timed(
    subject: Callable[[Path, int | None], float], path: Path, epochs: int | None
) -> dict[str, float]:
    """Run a subject in this process."""
    warnings.simplefilter("ignore")
    seconds = subject(path, epochs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": seconds, "GiB": peak}


def signal_of(path: Path):  # type: ignore[no-untyped-def]
    """Return the spectrum image."""
    from hyperspy_cvae.signals import EELSAnomalySignal

    signal = EELSAnomalySignal(np.load(path))
    axis = signal.axes_manager.signal_axes[0]
    axis.name, axis.units, axis.offset = "Energy loss", "eV", OFFSET
    axis.scale = ENERGY_RANGE / axis.size
    return signal


def duration(function: Callable[[], object]) -> float:
    """Return the time of a call in seconds."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def decompose(path: Path, epochs: int | None, **settings: object) -> float:
    """HyperSpy's decomposition."""
    return duration(partial(signal_of(path).decomposition, print_info=False, **settings))


def train(path: Path, epochs: int | None) -> float:
    """Train with defaults; the model is kept for detection."""
    signal = signal_of(path)
    seconds = duration(lambda: signal.train_cvae(epochs=epochs, show_progressbar=False))
    path.with_suffix(".model").write_bytes(signal.learning_results.cvae.tobytes())
    return seconds


def detect(path: Path, epochs: int | None) -> float:
    """Judge with the trained model."""
    from hyperspy_cvae.reconstruction import CVAE

    model = CVAE.from_bytes(path.with_suffix(".model").read_bytes())
    signal = signal_of(path)
    return duration(lambda: signal.detect_anomalies(model=model, show_progressbar=False))


def reed_xiaoli(path: Path, epochs: int | None) -> float:
    """RX of Spectral Python."""
    from spectral import rx

    cube = np.load(path)
    return duration(lambda: rx(cube))


def autoencoder(path: Path, epochs: int | None) -> float:
    """PyOD's autoencoder on 20 principal components, which are part of its time."""
    from pyod.models.auto_encoder import AutoEncoder
    from sklearn.decomposition import PCA

    cube = np.load(path)

    def run() -> None:
        flat = cube.reshape(-1, cube.shape[2])
        reduced = PCA(20, svd_solver="randomized", random_state=0).fit_transform(flat)
        AutoEncoder(epoch_num=10, random_state=0, verbose=0).fit(reduced)

    return duration(run)


def published(path: Path, epochs: int | None) -> float:
    """The published network, from two steps of its training."""
    from dataclasses import replace

    from hyperspy_cvae.reconstruction import CVAE, PAPER_CVAE

    cube = np.load(path)[:24, :24]

    def epoch(steps: int) -> float:
        training = replace(PAPER_CVAE.training, epochs=1, steps_per_epoch=steps)
        model = CVAE(replace(PAPER_CVAE, training=training))
        return duration(lambda: model.fit(cube))

    epoch(1)
    return (epoch(3) - epoch(1)) / 2 * PAPER_EPOCHS * PAPER_SHARDS


SUBJECTS: dict[str, Callable[[Path, int | None], float]] = {
    REFERENCE: decompose,
    "decomposition(), 20 components, randomised": partial(
        decompose, algorithm="SVD", output_dimension=20, svd_solver="randomized"
    ),
    TRAINING: train,
    DETECTION: detect,
    "RX (Spectral Python)": reed_xiaoli,
    "autoencoder (PyOD), 20 components": autoencoder,
    "published network, training": published,
}


def grow(scans: Scans, shape: Shape) -> list[dict]:  # type: ignore[type-arg]
    """Return times on scans of half and twice the extent, and of fewer channels."""
    rows, columns, energy = shape
    pixels = [(round(rows * f), round(columns * f), energy) for f in (0.5, 1, 2)]
    channels = [(rows, columns, energy // n) for n in (4, 2, 1)]
    found = []
    for over, shapes in (("pixels", pixels), ("channels", channels)):
        for each in shapes:
            size = each[0] * each[1] if over == "pixels" else each[2]
            for name, subject in ((TRAINING, train), (DETECTION, detect)):
                measured = scans.measure(subject, each)
                found.append({"over": over, "size": size, "subject": name, **measured})
                print(found[-1], flush=True)
    return found


def verdict(path: Path, epochs: int | None, method: str = "cvae") -> float:
    """From loading a file to the printed verdict, after the imports."""
    import hyperspy.api as hs

    from hyperspy_cvae.signals import EELSAnomalySignal

    hs.preferences.General.show_progressbar = False
    file = path.with_suffix(".hspy")
    if not file.exists():
        signal_of(path).save(file)

    def judged() -> None:
        signal = hs.load(file, signal_type="EELSAnomaly")
        assert isinstance(signal, EELSAnomalySignal)
        str(signal.detect_anomalies(method=method))

    return duration(judged)


def small(scans: Scans, shapes: list[Shape], reference: float, rounds: int) -> list[dict]:  # type: ignore[type-arg]
    """Return times of small scans, from loading to verdict, and of their decomposition."""
    found = []
    for shape in shapes:
        for turn in range(rounds):
            own = scans.measure(decompose, shape)["seconds"]
            for method in ("auto", "cvae", "pca"):
                seconds = scans.measure(partial(verdict, method=method), shape)["seconds"]
                row = {"scan": " x ".join(map(str, shape)), "method": method, "round": turn}
                row |= {"seconds": seconds, "of the large": seconds / reference}
                found.append(row | {"of its own": seconds / own})
                print(found[-1], flush=True)
    return found


def beside_others(scans: Scans, shape: Shape, rounds: int) -> list[dict]:  # type: ignore[type-arg]
    """Return times from loading to verdict alone, and beside a busy process for each core."""
    found = []
    for turn in range(rounds):
        quiet = scans.measure(verdict, shape)["seconds"]
        others = [get_context("spawn").Process(target=spin, daemon=True) for _ in range(cores())]
        for each in others:
            each.start()
        try:
            time.sleep(2)  # until they spin
            busy = scans.measure(verdict, shape)["seconds"]
        finally:
            for each in others:
                each.terminate()
                each.join()
        row = {"scan": " x ".join(map(str, shape)), "round": turn, "others": len(others)}
        found.append(row | {"quiet": quiet, "busy": busy, "busy / quiet": busy / quiet})
        print(found[-1], flush=True)
    return found


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spin() -> None:
    """Keep a core busy, but not for ever."""
    end = time.monotonic() + LONGEST_BUSY
    while time.monotonic() < end:
        sum(range(10_000))


def precisions() -> pd.DataFrame:
    """Return the time of a step of Muon on the default network, with one thread."""
    import torch

    from hyperspy_cvae.networks import CompactConfig, CompactNetwork
    from hyperspy_cvae.training._optimiser import _Muon

    torch.set_num_threads(1)
    weights = CompactNetwork((24, 24, 1312), CompactConfig()).hidden_weights()
    matrices = [torch.nn.Parameter(each.detach().reshape(len(each), -1)) for each in weights]
    for each in (*weights, *matrices):
        each.grad = torch.randn_like(each)
    ours, torchs = _Muon(weights), torch.optim.Muon(matrices, 1e-3)

    @torch.no_grad()
    def ms(step: Callable[[], object]) -> float:
        step()
        return min(duration(lambda: [step() for _ in range(50)]) for _ in range(5)) / 50 * 1e3

    rows = {"float32, as here": ms(partial(ours.step, 1e-3)), "bfloat16, torch's": ms(torchs.step)}
    return pd.DataFrame({"step": rows.keys(), "ms": rows.values()})


def write(results: pd.DataFrame, others: dict[str, pd.DataFrame], shape: Shape, name: Path) -> None:
    """Write results and tables, and print the tables."""
    record = {"shape": shape, "results": results.to_dict("records")}
    record |= {key.lower(): each.to_dict("records") for key, each in others.items()}
    name.with_suffix(".json").write_text(json.dumps(record, indent=1))
    tables = [table(f"{shape[0]} x {shape[1]} x {shape[2]}", compared(results))]
    if len(others["Growth"]):
        tables.append(table("Growth", exponents(others["Growth"])))
    if len(others["Verdicts"]):
        verdicts = medians(others["Verdicts"], ["scan", "method"])
        tables.append(table("From loading to verdict", verdicts))
        tables.append(table("Beside a busy process a core", medians(others["Busy"], ["scan"])))
    tables.append(table("A step of Muon", medians(others["Muon"], ["step"])))
    name.with_suffix(".rst").write_text("\n".join(tables))
    print("\n".join(tables))


def compared(results: pd.DataFrame) -> pd.DataFrame:
    """Return times, their ratios to the reference of the same round, and memory."""
    seconds = results.pivot_table(index="round", columns="subject", values="seconds", sort=False)
    if {TRAINING, DETECTION} <= set(seconds):
        seconds[BOTH] = seconds[TRAINING] + seconds[DETECTION]
    ratio = seconds.div(seconds[REFERENCE], axis=0)
    memory = results.groupby("subject", sort=False)["GiB"].max()
    if BOTH in seconds:
        memory[BOTH] = memory[[TRAINING, DETECTION]].max()
    return pd.DataFrame(
        {
            "median (s)": seconds.median().map("{:.3g}".format),
            "ratio": ratio.median().map("{:.3g}".format),
            "from": ratio.min().map("{:.3g}".format),
            "to": ratio.max().map("{:.3g}".format),
            "peak (GiB)": memory.map("{:.2f}".format),
        }
    ).loc[list(seconds)]


def medians(rows: pd.DataFrame, of: list[str]) -> pd.DataFrame:
    """Return the medians over the rounds."""
    found = rows.drop(columns="round", errors="ignore").groupby(of, sort=False).median()
    found.index = [", ".join(each) if isinstance(each, tuple) else each for each in found.index]
    return found.map("{:.3g}".format)


def exponents(growth: pd.DataFrame) -> pd.DataFrame:
    """Return times by size, and the exponent that fits them."""
    rows = {}
    for (over, subject), group in growth.groupby(["over", "subject"], sort=False):
        exponent = np.polyfit(np.log(group["size"]), np.log(group["seconds"]), 1)[0]
        rows[f"{subject}, {over}"] = {
            "sizes": " ".join(map(str, group["size"])),
            "seconds": " ".join(f"{each:.3g}" for each in group["seconds"]),
            "peaks (GiB)": " ".join(f"{each:.2f}" for each in group["GiB"]),
            "exponent": f"{exponent:.2f}",
        }
    return pd.DataFrame(rows).T


def table(title: str, frame: pd.DataFrame) -> str:
    """Return a table in reStructuredText."""
    header = ", ".join(f'"{each}"' for each in ["", *frame.columns])
    lines = [f".. csv-table:: {title}", f"   :header: {header}", ""]
    for name, row in frame.iterrows():
        lines.append(", ".join([f'   "{name}"', *row]))
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
