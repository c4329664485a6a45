"""How far the seed of the training decides what is found.

Strong cases of ``accuracy.py``: five networks that differ in their seed alone, and the first of
them once more. The masks of every two are compared by their Jaccard index, the share of the pixels
in either that is in both, and the two runs of one seed pixel by pixel.

    python -m pip install -e ".[benchmarks]"
    python benchmarks/repeatability.py --phantom-seed 2041

writes a table into benchmarks/results.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from accuracy import ANOMALIES, CASES, Case
from sklearn.metrics import f1_score, jaccard_score

STRONG = [
    Case("smooth", "2.4 eV", 1.6, 15, "counting"),
    Case("walls", "2.4 eV", 1.6, 42, "indirect"),
    Case("walls", "3.9 eV", 5.0, 42, "indirect"),
    Case("columns", "2.4 eV", 5.0, 15, "counting"),
]
SEEDS = range(5)


def main() -> None:
    """Train, compare and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--phantom-seed", type=int, default=2041)
    parser.add_argument(
        "--cases", nargs="+", default=[""], help="run the cases whose name contains one of these"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if missing := set(STRONG) - set(CASES):
        parser.error(f"accuracy.py has no case {missing.pop()}")
    options.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for case in STRONG:
        if not any(word in str(case) for word in options.cases):
            continue
        rows.append({"case": str(case), **compare(case, options.phantom_seed)})
        print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(options.output / "repeatability.csv", index=False)


def compare(case: Case, phantom_seed: int) -> dict[str, object]:
    """Return how well the masks of the seeds agree in one spectrum image."""
    phantom, _ = case.phantom(phantom_seed, (144, 144))
    signal, truth = phantom.signal, np.asarray(phantom.truth.data, bool).ravel()
    _, window = ANOMALIES[case.anomaly]

    def found(seed: int) -> tuple[np.ndarray, np.ndarray]:
        signal.train_cvae(seed=seed, show_progressbar=False)
        maps = signal.detect_anomalies(signal_range=window)
        return np.asarray(maps.mask.data, bool).ravel(), maps.score.data.copy()

    results = [found(seed) for seed in SEEDS]
    again = found(SEEDS[0])
    agreement = [jaccard_score(*pair) for pair in combinations([m for m, _ in results], 2)]
    merit = [f1_score(truth, mask) for mask, _ in results]
    return {
        "identical": all(map(np.array_equal, results[0], again)),
        "least Jaccard": round(min(agreement), 3),
        "median Jaccard": round(float(np.median(agreement)), 3),
        "F1": " ".join(f"{each:.2f}" for each in merit),
    }


if __name__ == "__main__":
    main()
