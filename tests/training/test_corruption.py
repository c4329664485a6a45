"""Corruption of shards in training."""

import numpy as np
import pytest
import torch

from hyperspy_cvae.training import corrupt


def corrupted(shards: torch.Tensor, random: np.random.Generator, fraction: float) -> torch.Tensor:
    shown = shards.clone()
    corrupt(shown, random, fraction)
    return shown


@pytest.fixture
def shards() -> torch.Tensor:
    return torch.from_numpy(
        np.random.default_rng(0).poisson(20, (6, 16, 16, 90)).astype(np.float32)
    )


def test_discs_change(shards: torch.Tensor) -> None:
    shown = corrupted(shards, np.random.default_rng(1), 1.0)
    changed = (shown != shards).any(-1)
    assert all(0 < part.float().mean() < 1 for part in changed)


def test_only_windows_of_energy_change(shards: torch.Tensor) -> None:
    shown = corrupted(shards, np.random.default_rng(2), 1.0)
    changed = (shown != shards).any(1).any(1)  # of each shard, its channels
    assert (changed.float().mean(1) < 1).any()
    assert changed.any(1).all()


def test_fraction_of_the_shards(shards: torch.Tensor) -> None:
    assert torch.equal(corrupted(shards, np.random.default_rng(3), 0.0), shards)
    many = shards[:1].expand(400, -1, -1, -1)[:, :8, :8, :20].contiguous()
    changed = (corrupted(many, np.random.default_rng(3), 0.3) != many).any(-1).any(-1).any(-1)
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.07)


@pytest.mark.parametrize("shape", [(1, 1, 1, 8), (2, 1, 24, 100), (1, 3, 2, 5), (1, 24, 24, 4096)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    shards = torch.rand(shape)
    shown = corrupted(shards, np.random.default_rng(4), 1.0)
    assert shown.shape == shape
    assert shown.isfinite().all()


def test_empty_spectra_stay_finite() -> None:
    assert corrupted(torch.zeros(8, 6, 6, 40), np.random.default_rng(5), 1.0).isfinite().all()


def test_half_of_the_windows_lie_where_the_spectrum_has_structure() -> None:
    """A uniform spectrum but for one line: a window drawn blindly would seldom meet it."""
    spectra = torch.full((400, 2, 2, 1000), 50.0)
    spectra[..., 300:306] = 500.0
    random = np.random.default_rng(6)
    shown = corrupted(spectra, random, 1.0)
    met = (shown[..., 294:312] != spectra[..., 294:312]).flatten(1).any(1)
    # 1 or 2 windows, half of them at the line, and some of the others meet it by chance; one
    # corruption in three, another pixel's spectrum, changes nothing here.
    assert 0.35 < met.float().mean() < 0.75


def test_negative_and_large_counts_stay_finite() -> None:
    counts = torch.linspace(-300, 1e6, 40).expand(4, 6, 6, 40).contiguous()
    assert corrupted(counts, np.random.default_rng(7), 1.0).isfinite().all()
