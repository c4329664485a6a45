"""Regions whose spectra differ from the bulk in the same way are of one kind."""

import numpy as np

from hyperspy_cvae.detection import kinds_of

CHANNELS = 200
ENERGY = np.arange(CHANNELS)
SHIFT = np.exp(-np.square((ENERGY - 80) / 6)) - np.exp(-np.square((ENERGY - 92) / 6))
EXCESS = np.exp(-np.square((ENERGY - 120) / 8))


def noisy(changes: np.ndarray, seed: int = 0) -> np.ndarray:
    return changes + np.random.default_rng(seed).normal(size=changes.shape)


def test_shares_of_one_change_are_of_one_kind() -> None:
    shares = np.array([40, 20, 10, 30, 15, 25])
    changes = np.where(np.arange(6)[:, np.newaxis] < 3, SHIFT, EXCESS) * shares[:, np.newaxis]
    pixels = np.array([4, 9, 2, 16, 1, 1])
    assert kinds_of(noisy(changes), pixels, CHANNELS) == ["B", "B", "B", "A", "A", "A"]


def test_the_opposite_change_is_of_another_kind() -> None:
    changes = np.stack([20 * EXCESS, -20 * EXCESS])
    assert kinds_of(noisy(changes), np.array([3, 3]), CHANNELS) == ["A", "B"]


def test_noise_is_of_no_kind() -> None:
    changes = np.stack([0 * EXCESS, 20 * EXCESS, 0 * EXCESS])
    for seed in range(20):
        assert kinds_of(noisy(changes, seed), np.array([9, 1, 5]), CHANNELS) == ["", "A", ""]


def test_many_kinds_go_on_with_two_letters() -> None:
    changes = 50 * np.eye(28, CHANNELS)
    kinds = kinds_of(noisy(changes), np.arange(28)[::-1] + 1, CHANNELS)
    assert kinds[0] == "A"
    assert kinds[25:] == ["Z", "AA", "AB"]
