"""Regions reach as far as their own spectrum does."""

import numpy as np

from hyperspy_cvae.detection._extent import region_extent


def drawn(strength: float, truth: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(0)
    residual = random.normal(size=(*truth.shape, 60))
    residual[truth] += strength * np.sin(np.arange(60) / 4)
    return residual.astype(np.float32)


def test_rims_go_and_what_was_missed_comes() -> None:
    truth = np.zeros((50, 50), bool)
    truth[20:27, 20:27] = True
    rough = np.zeros_like(truth)
    rough[18:26, 21:29] = True
    height = 10.0 * rough + 10 * truth
    found = region_extent(rough, height, drawn(3.0, truth), np.ones_like(truth))
    assert (found & truth).sum() >= 45
    assert (found & ~truth).sum() <= 2


def test_what_is_faint_is_told_at_a_coarser_resolution_or_left() -> None:
    truth = np.zeros((50, 50), bool)
    truth[20:30, 20:30] = True
    rough = np.zeros_like(truth)
    rough[17:31, 17:31] = True
    height = 10.0 * rough + 10 * truth
    found = region_extent(rough, height, drawn(0.35, truth), np.ones_like(truth))
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.8
    nothing = region_extent(rough, height, drawn(0.0, truth), np.ones_like(truth))
    assert nothing.sum() <= rough.sum() + 60
    single = np.zeros_like(truth)
    single[3, 3] = True
    np.testing.assert_array_equal(
        region_extent(single, 10.0 * single, drawn(0.0, truth), np.ones_like(truth)), single
    )
