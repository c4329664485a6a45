"""Doubt about a reconstruction comes from misfit alone, and the second look acts on it."""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_cvae.networks import CompactConfig
from hyperspy_cvae.phantoms import bifeo3
from hyperspy_cvae.reconstruction import CVAE, CVAEConfig
from hyperspy_cvae.reconstruction._second_look import doubt
from hyperspy_cvae.training import TrainingConfig


@pytest.fixture
def bulk() -> np.ndarray:
    brightness = np.linspace(0.5, 1.5, 40)[:, None, None]
    spectrum = 50 + 40 * np.sin(np.linspace(0, 6, 60))
    return np.broadcast_to(brightness * spectrum, (40, 40, 60)).astype(np.float32)


def test_noise_is_not_doubted(bulk: np.ndarray) -> None:
    counts = np.random.default_rng(0).poisson(bulk).astype(np.float32)
    assert not doubt(counts, bulk).any()


def test_what_does_not_fit_is_doubted(bulk: np.ndarray) -> None:
    counts = np.random.default_rng(1).poisson(bulk).astype(np.float32)
    counts[10:18, 20:28] = np.roll(counts[10:18, 20:28], 6, axis=-1)
    found = doubt(counts, bulk)
    assert found[11:17, 21:27].min() == 1
    far = np.ones((40, 40), bool)
    far[4:24, 14:34] = False
    assert not found[far].any()


def test_a_perfect_or_empty_reconstruction_is_not_doubted(bulk: np.ndarray) -> None:
    assert not doubt(bulk, bulk).any()
    assert not doubt(np.zeros_like(bulk), np.zeros_like(bulk)).any()


def test_the_second_look_changes_only_what_is_doubted() -> None:
    """A moved edge in a uniform crystal: its own counts no longer tell how it is rebuilt."""
    cube = bifeo3((32, 32), channels=160, offset=500, dispersion=1.6, seed=2).signal.data
    model = CVAE(
        CVAEConfig(training=TrainingConfig(epochs=3), network=CompactConfig(latent=6)), "cpu"
    ).fit(cube)
    foreign = cube.copy()
    foreign[12:19, 12:19, 120:150] = foreign[12:19, 12:19, 120:150][..., ::-1] * 3
    found = model.reconstruct(foreign)
    model.config = replace(model.config, training=replace(model.config.training, hidden=0.0))
    first = model.reconstruct(foreign)
    changed = np.abs(found - first).max(-1) > 0
    assert changed[13:18, 13:18].all()
    assert not changed[:6].any()
    assert not changed[-6:].any()
    np.testing.assert_allclose(found.sum(-1), first.sum(-1), rtol=1e-3)
