"""Rounding errors have no spread."""

import numpy as np

from hyperspy_cvae.robust import robust_deviation


def test_that_of_normal_numbers() -> None:
    values = np.random.default_rng(0).normal(5, 3, (20_000, 2))
    np.testing.assert_allclose(robust_deviation(values), [3, 3], rtol=0.05)
    assert robust_deviation(values[:, 0]).shape == ()


def test_differences_within_rounding_have_none() -> None:
    rng = np.random.default_rng(0)
    counts = rng.uniform(50, 200, 1000).astype(np.float32)
    again = counts * np.float32(3) / np.float32(3)
    assert (again != counts).any()
    assert robust_deviation(again - counts, np.abs(counts).mean()) == 0
    noise = rng.normal(0, 0.01, 1000)
    assert robust_deviation(noise, 100.0) > 0
