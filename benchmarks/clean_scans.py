"""Pixels flagged on spectrum images without anomalies, for several seeds.

The phantom matched to the paper's spectrum image, without anomalies: every reconstruction with
default settings is fitted to it and judges it, in 690-730 eV, by PCC and Otsu's threshold, and by
the combined score and the automatic one. No pixel is to be flagged.

    python benchmarks/clean_scans.py --seeds 2025 2026 2027 2028 2029

writes a table into benchmarks/results.
"""

import argparse
import csv
from pathlib import Path

from paper_table import fitted, judge

from hyperspy_cvae.phantoms import paper_si
from hyperspy_cvae.preprocessing import prepare
from hyperspy_cvae.reconstruction import CVAEConfig


def main() -> None:
    """Fit, judge and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=range(2025, 2030))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in options.seeds:
        clean = paper_si(seed=seed, anomalous=False)
        energy = clean.signal.axes_manager.signal_axes[0].axis
        window = (energy >= 690) & (energy <= 730)
        models = fitted(prepare(clean.signal.data).cube, CVAEConfig())
        entries = judge(clean, clean, window, models, "clean", {})
        flagged = {f"{e['reconstruction']}, {e['score']}": e["flagged"] for e in entries}
        rows.append({"seed": seed, **flagged})
        print(rows[-1], flush=True)
    with (options.output / "clean_scans.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
