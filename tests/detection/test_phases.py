"""Layers and grains are phases; a drift, a wedge or a strain field is one."""

import dask.array as da
import numpy as np
import pytest
from scipy.special import expit

from hyperspy_cvae.blocks import Cube
from hyperspy_cvae.detection import find_phases
from hyperspy_cvae.phantoms import FineStructure, Structure, bifeo3

ENERGY = np.arange(150.0)
ONE = 60 + 200 * np.exp(-ENERGY / 50)


def edge(onset: float) -> np.ndarray:
    return 120 * (ENERGY > onset) * np.exp(-np.maximum(ENERGY - onset, 0) / 40)


def sizes(cube: Cube) -> list[int]:
    found = find_phases(cube, np.ones(cube.shape[:2], bool), np.ones(cube.shape[2], bool), 1)
    return np.bincount(found.ravel())[1:].tolist()


def counted(expected: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(expected).astype(np.float32)


def layers(blur: float = 0.0) -> np.ndarray:
    """Three layers of 16, 8 and 6 columns."""
    place = np.arange(30)[:, np.newaxis]

    def before(end: int) -> np.ndarray:
        return np.asarray(expit((end - 0.5 - place) / max(blur, 1e-3)))

    first, second = before(16), before(24) - before(16)
    line = first * edge(40) + second * edge(70) + (1 - first - second) * edge(100)
    return np.broadcast_to(ONE + line, (24, 30, 150))


@pytest.mark.parametrize("blur", [0.0, 0.5])
def test_layers_are_phases_by_their_size(blur: float) -> None:
    found = np.array(sizes(counted(layers(blur))))
    assert np.abs(found - 24 * np.array([16, 8, 6])).max() <= 24 * (blur > 0)


def test_the_same_on_disk_and_on_its_side() -> None:
    counts = counted(layers())
    assert sizes(da.from_array(counts, (8, 10, 150))) == sizes(counts)
    assert sizes(np.ascontiguousarray(np.swapaxes(counts, 0, 1))) == sizes(counts)


@pytest.mark.parametrize("seed", range(3))
def test_a_drift_and_a_wedge_are_one(seed: int) -> None:
    share = np.linspace(0, 1, 40)[:, np.newaxis]
    thickness = np.linspace(0.5, 1.5, 30)[:, np.newaxis, np.newaxis]
    assert sizes(counted(thickness * (ONE + share * edge(40)), seed)) == [1200]
    drift = np.stack([ONE + edge(40 + shift) for shift in np.linspace(0, 12, 40)])
    assert sizes(counted(np.broadcast_to(drift, (30, 40, 150)), seed)) == [1200]


def test_a_strain_field_is_one_and_domains_are_two() -> None:
    strained = Structure(domains=(FineStructure(),), wall_width=0, strain=0.5)
    assert sizes(bifeo3((40, 40), 200, 690.0, structure=strained).signal.data) == [1600]
    assert len(sizes(bifeo3((64, 64), 300, 690.0, seed=2).signal.data)) == 2


def test_what_is_rare_is_no_phase() -> None:
    expected = np.array(np.broadcast_to(ONE + edge(40), (24, 30, 150)))
    expected[3:7, 5:10] += edge(70)
    assert sizes(counted(expected)) == [720]


def test_few_pixels_are_one_phase() -> None:
    assert sizes(counted(layers()[:3, :5])) == [15]
