"""A spectrum image of 8 GB on disk: trained on and judged, with the memory that takes.

Phantoms side by side, 1024 x 1024 pixels and 2048 channels of .25 eV, are written to a ``.zspy``
file. Then a new process opens it lazily, trains with defaults and looks for anomalies; its largest
resident memory is reported, time and what was found. Memory is right on Linux.

    python benchmarks/larger_than_memory.py

writes results in JSON into benchmarks/results, and the spectrum image into a temporary folder of
some 9 GB; two to three times as much is kept there while it is judged. ``--quick`` does the same on
a small one, as a test that it runs.
"""

import argparse
import json
import resource
import tempfile
import time
import warnings
from pathlib import Path

import dask
import dask.array as da
import numpy as np
from sklearn.metrics import f1_score
from speed import alone

TILE, SEEDS = 128, (7, 8, 9, 10)
OFFSET, ENERGY_RANGE = 350.0, 512.0  # eV
SHIFT = 3.9  # eV


def main() -> None:
    """Write the spectrum image, and judge it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=1024, help=f"pixels, a multiple of {TILE}")
    parser.add_argument("--channels", type=int, default=2048)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--folder", type=Path, help="for temporary files")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.side, options.channels, options.epochs = TILE, 64, 1
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "large.zspy"
        alone(write, path, options.side, options.channels)
        results = alone(judge, path, options.epochs, options.folder)
    (options.output / "larger_than_memory.json").write_text(json.dumps(results, indent=1))
    print(results)


def phantom(seed: int, channels: int):  # type: ignore[no-untyped-def]
    """Return one of the phantoms."""
    from hyperspy_cvae.phantoms import PeakShift, bifeo3

    width = ENERGY_RANGE / channels
    anomaly = PeakShift(SHIFT, radius=4, discs=2)
    return bifeo3((TILE, TILE), channels, OFFSET, width, anomaly=anomaly, seed=seed)


def mosaic(tiles: list[da.Array], side: int) -> da.Array:
    """Return tiles side by side, each as it is and turned, over and over."""
    turned = [tile[::row, ::column] for tile in tiles for row in (1, -1) for column in (1, -1)]
    number = side // TILE
    rows = [
        da.concatenate([turned[(row * number + k) % len(turned)] for k in range(number)], axis=1)
        for row in range(number)
    ]
    return da.concatenate(rows)


def write(path: Path, side: int, channels: int) -> None:
    """Write the spectrum image."""
    from hyperspy_cvae.signals import LazyEELSAnomalySignal

    tiles = [da.from_array(phantom(seed, channels).signal.data) for seed in SEEDS]
    signal = LazyEELSAnomalySignal(mosaic(tiles, side))
    axis = signal.axes_manager.signal_axes[0]
    axis.name, axis.units, axis.offset = "Energy loss", "eV", OFFSET
    axis.scale = ENERGY_RANGE / axis.size
    signal.save(path, chunks=(32, 32, channels))


def judge(path: Path, epochs: int | None, folder: Path | None) -> dict:  # type: ignore[type-arg]
    """Train, detect, and return what it took."""
    import hyperspy_cvae

    warnings.simplefilter("ignore")
    tempfile.tempdir = None if folder is None else str(folder)
    before = resident()
    signal = hyperspy_cvae.load(path, lazy=True)
    start = time.perf_counter()
    model = signal.train_cvae(epochs=epochs, show_progressbar=True)
    trained, trained_memory = time.perf_counter() - start, resident()
    print(f"trained in {trained:.0f} s, {trained_memory:.2f} GiB", flush=True)
    start = time.perf_counter()
    found = signal.detect_anomalies(model=model, show_progressbar=True)
    judged = time.perf_counter() - start
    side, channels = signal.data.shape[0], signal.data.shape[2]
    truths = [da.from_array(np.asarray(phantom(seed, channels).truth.data, bool)) for seed in SEEDS]
    truth = mosaic(truths, side).compute()
    return {
        "shape": signal.data.shape,
        "GB": signal.data.nbytes / 1e9,
        "channels": channels,
        "threads": dask.system.CPU_COUNT,
        "GiB before": before,
        "seconds to train": trained,
        "peak GiB after training": trained_memory,
        "seconds to judge": judged,
        "peak GiB": resident(),
        "flagged": int(found.mask.data.sum()),
        "F1": float(f1_score(truth.ravel(), found.mask.data.ravel())),
        "threshold": found.threshold.reason,
    }


def resident() -> float:
    """Return the largest resident memory so far in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
