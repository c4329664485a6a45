"""Training and judging on an NVIDIA GPU: time, memory, and how far from what the card can do.

What the card can do is measured first: a copy, and products of matrices in TF32 and bfloat16. The
floor of a training is the time of its bytes and operations at these rates: 28 bytes a step for
every weight, which are what Adam reads and writes of weight, gradient and two moments, and the
operations that torch counts in one step. Then, on the phantom matched to the paper's spectrum
image, 192 x 192 pixels and 1312 channels:

* the compact network is trained and judges, as ``train_cvae()`` and ``detect_anomalies()`` do;
* the published network is trained for a few epochs, one shard per step as published and eight, and
  its 300 epochs of 64 shards are told from them;
* forward and backward pass of the published network are timed in float32, in TF32, and with
  bfloat16 and channels last, with what they depart by.

    python benchmarks/gpu.py

prints tables, and writes them and the results in JSON into benchmarks/results.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from speed import table
from torch.backends import cudnn
from torch.utils.flop_counter import FlopCounterMode

from hyperspy_cvae.networks import NetworkConfig, build_network
from hyperspy_cvae.phantoms import paper_si
from hyperspy_cvae.reconstruction import CVAE, PAPER_CVAE, CVAEConfig

SHARD = (24, 24, 1312)
SHIFT, SEED = 2.4, 7
PAPER_EPOCHS = 300
BYTES_PER_WEIGHT = 28
GIGA, TERA = 1e9, 1e12


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4, help="of the published network, timed")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("torch finds no NVIDIA GPU here: this benchmark needs one.")
    warnings.simplefilter("ignore")
    options.output.mkdir(parents=True, exist_ok=True)
    card = torch.cuda.get_device_name()
    print(f"{card}, torch {torch.__version__}", flush=True)
    ceilings = measured_ceilings()
    print(ceilings, flush=True)
    phantom = paper_si(SHIFT, "roll", seed=SEED)
    parts = {
        f"Compact network, {card}": compact(phantom, ceilings, options.rounds),
        f"Published network, {card}": published(phantom.signal.data, ceilings, options.epochs),
        f"One step of the published network, {card}": passes(phantom.signal.data),
    }
    record = {"card": card, "torch": torch.__version__, "ceilings": ceilings}
    record["tables"] = {name: frame.to_dict("index") for name, frame in parts.items()}
    (options.output / "gpu.json").write_text(json.dumps(record, indent=1))
    text = "\n".join(table(name, frame.map(written)) for name, frame in parts.items())
    (options.output / "gpu.rst").write_text(text)
    print(text)


def written(value: float) -> str:
    """Return a number as it stands in a table."""
    return "" if np.isnan(value) else f"{value:.3g}"


def seconds(function: Callable[[], object], repeats: int = 10, warm_up: int = 3) -> float:
    """Return the median time of a call, by the card's clock."""
    for _ in range(warm_up):
        function()
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        function()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1000)
    return float(np.median(times))


def measured_ceilings() -> dict[str, float]:
    """Return what the card copies in GB/s, bytes read and written, and multiplies in TFLOP/s."""
    source = torch.randn(2**30, device="cuda")
    target = torch.empty_like(source)
    found = {"copy": 2 * source.nbytes / GIGA / seconds(lambda: target.copy_(source))}
    size = 8192
    precision = torch.get_float32_matmul_precision()
    for name, kind in (("TF32", torch.float32), ("bfloat16", torch.bfloat16)):
        torch.set_float32_matmul_precision("high")
        a, b = (torch.randn(size, size, device="cuda", dtype=kind) for _ in range(2))
        found[name] = 2 * size**3 / TERA / seconds(lambda a=a, b=b: a @ b)  # type: ignore[misc]
    torch.set_float32_matmul_precision(precision)
    return found


def counted(config: NetworkConfig, batch: int) -> tuple[float, float]:
    """Return the operations of a step, forward and backward, and the bytes that move weights."""
    with torch.device("meta"):
        network = build_network(SHARD, config)
        shards = torch.empty(batch, *SHARD)
    with FlopCounterMode(display=False) as counter:
        sum(each.sum() for each in network(shards)).backward()  # type: ignore[union-attr]
    weights = sum(weight.numel() for weight in network.parameters())
    return counter.get_total_flops(), BYTES_PER_WEIGHT * weights


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Return time in s and peak memory of the card in GiB of a call."""
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    function()
    torch.cuda.synchronize()
    return time.perf_counter() - start, torch.cuda.max_memory_allocated() / 2**30


def row(
    spent: float, peak: float, steps: int, work: tuple[float, float], ceilings: dict[str, float]
) -> dict[str, float]:
    """Return a row of a table of trainings."""
    operations, moved = work
    floor = steps * (operations / TERA / ceilings["TF32"] + moved / GIGA / ceilings["copy"])
    return {
        "time (s)": spent,
        "ms per step": 1000 * spent / steps,
        "floor (s)": floor,
        "floor / time": floor / spent,
        "TFLOP/s": steps * operations / TERA / spent,
        "of TF32": steps * operations / TERA / spent / ceilings["TF32"],
        "of copy": steps * moved / GIGA / spent / ceilings["copy"],
        "peak (GiB)": peak,
    }


def compact(phantom, ceilings: dict[str, float], rounds: int) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    """Train the default and judge with it: median of some rounds, after one that does not count."""
    cube = phantom.signal.data
    training = CVAEConfig().training
    steps = training.epochs * training.steps(cube.shape[0] * cube.shape[1])
    work = counted(CVAEConfig().network, training.batch_size)
    found = []
    for turn in range(rounds + 1):
        model = CVAE()
        fit = timed(lambda model=model: model.fit(cube))  # type: ignore[misc]
        spectra = timed(lambda model=model: model.reconstruct(cube))  # type: ignore[misc]
        judged = timed(
            lambda model=model: phantom.signal.detect_anomalies(  # type: ignore[misc]
                model=model, signal_range=(690.0, 730.0), show_progressbar=False
            )
        )
        if turn:
            found.append([fit, spectra, judged])
        print(f"compact: {fit}, {spectra}, {judged}", flush=True)
    (fit_time, fit_peak), (spectra_time, spectra_peak), (judged_time, judged_peak) = np.median(
        found, axis=0
    )
    rows = {
        "training": row(fit_time, fit_peak, steps, work, ceilings),
        "reconstruct()": {"time (s)": spectra_time, "peak (GiB)": spectra_peak},
        "detect_anomalies()": {"time (s)": judged_time, "peak (GiB)": judged_peak},
        "trained and judged": {"time (s)": fit_time + judged_time},
    }
    return pd.DataFrame(rows).T


def published(cube: np.ndarray, ceilings: dict[str, float], epochs: int) -> pd.DataFrame:
    """Time some epochs, and tell 300 from them."""
    rows = {}
    for batch in (1, 8):
        training = replace(PAPER_CVAE.training, batch_size=batch, patience=PAPER_EPOCHS)

        def fit(count: int, training=training) -> tuple[float, float]:  # type: ignore[no-untyped-def]
            config = replace(PAPER_CVAE, training=replace(training, epochs=count))
            return timed(lambda: CVAE(config).fit(cube))

        (first, _), (last, peak) = fit(1), fit(1 + epochs)
        print(f"published, {batch} per step: {first}, {last}", flush=True)
        spent = (last - first) / epochs * PAPER_EPOCHS
        steps = PAPER_EPOCHS * training.steps(cube.shape[0] * cube.shape[1])
        work = counted(PAPER_CVAE.network, batch)
        name = f"{PAPER_EPOCHS} epochs, {batch} {'shard' if batch == 1 else 'shards'} per step"
        rows[name] = row(spent, peak, steps, work, ceilings)
    return pd.DataFrame(rows).T


def passes(cube: np.ndarray) -> pd.DataFrame:
    """Time forward and backward pass in several precisions, and say what they depart by."""
    torch.manual_seed(0)
    with torch.device("cuda"):
        network = build_network(SHARD, PAPER_CVAE.network).eval()
    intensities, _ = PAPER_CVAE.preprocessing.apply(cube[:24, :24])
    shard = torch.from_numpy(np.ascontiguousarray(intensities))[None].cuda()
    kernels = [weight for weight in network.parameters() if weight.ndim > 2]
    rows, exact = {}, []
    for name, tf32, reduced, layout in (
        ("float32", False, False, torch.contiguous_format),
        ("TF32", True, False, torch.contiguous_format),
        ("TF32, channels last", True, False, torch.channels_last_3d),
        ("bfloat16, channels last", True, True, torch.channels_last_3d),
    ):
        network.to(memory_format=layout)
        one, eight = shard, shard.expand(8, *SHARD).clone()

        def step(shards: torch.Tensor, reduced=reduced) -> torch.Tensor:  # type: ignore[no-untyped-def]
            network.zero_grad()
            with torch.autocast("cuda", torch.bfloat16) if reduced else nullcontext():
                logits = network(shards)[0].float()
            logits = logits - logits.mean(-1, keepdim=True)
            logits.square().mean().backward()
            return logits.detach()

        with cudnn.flags(enabled=True, allow_tf32=tf32):
            logits = step(one)
            found = [logits, torch.cat([kernel.grad.flatten() for kernel in kernels])]  # type: ignore[union-attr]
            exact = exact or found
            rows[name] = {
                "1 shard (ms)": 1000 * seconds(lambda one=one: step(one)),  # type: ignore[misc]
                "8 shards (ms per shard)": 125 * seconds(lambda eight=eight: step(eight)),  # type: ignore[misc]
                "departure of logits": relative(found[0], exact[0]),
                "departure of gradients": relative(found[1], exact[1]),
            }
        print(name, rows[name], flush=True)
    return pd.DataFrame(rows).T


def relative(values: torch.Tensor, exact: torch.Tensor) -> float:
    """Return the norm of a difference over that of what is exact."""
    return float(torch.linalg.vector_norm(values - exact) / torch.linalg.vector_norm(exact))


if __name__ == "__main__":
    main()
