"""A network has to explain more than a mean does."""

import numpy as np
import pytest

from hyperspy_cvae.detection import as_good
from hyperspy_cvae.reconstruction import Mean

EVERYTHING = np.ones((40, 40), bool)


def scan(variation: float) -> tuple[np.ndarray, np.ndarray]:
    """Counts of two kinds of bulk that differ in one line, and their expectation."""
    energy = np.arange(80)
    line = np.exp(-0.5 * ((energy - 40) / 4) ** 2)
    kind = np.where(np.arange(40) < 20, 1.0, -1.0)[:, None, None]
    bulk = 100 * (1 + variation * kind * line)
    bulk = np.broadcast_to(bulk, (40, 40, 80)).astype(np.float32)
    return np.random.default_rng(0).poisson(bulk).astype(np.float32), bulk


@pytest.mark.parametrize(("variation", "expected"), [(0.0, ["mean"]), (0.1, []), (0.5, [])])
def test_a_mean_is_as_good_where_nothing_varies(variation: float, expected: list[str]) -> None:
    measured, bulk = scan(variation)
    mean = Mean().fit(measured).reconstruct(measured)
    assert as_good(measured, bulk, {"mean": mean}, 0.5, EVERYTHING) == expected


def test_a_few_anomalies_do_not_matter() -> None:
    measured, bulk = scan(0.0)
    measured[3:5, 3:5, 20:40] *= 1.5
    mean = Mean().fit(measured).reconstruct(measured)
    assert as_good(measured, bulk, {"mean": mean}, 0.5, EVERYTHING) == ["mean"]


def test_a_network_that_was_not_trained_long_enough() -> None:
    measured, bulk = scan(0.0)
    poor = bulk * np.linspace(0.9, 1.1, 80, dtype=np.float32)
    mean = Mean().fit(measured).reconstruct(measured)
    assert as_good(measured, poor, {"mean": mean, "itself": poor}, 0.5, EVERYTHING) == [
        "mean",
        "itself",
    ]
