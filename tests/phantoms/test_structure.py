from dataclasses import replace

import numpy as np
import pytest

from hyperspy_cvae.phantoms import FineStructure, Structure, bifeo3
from hyperspy_cvae.phantoms._structure import columns, domains, kind_shares, layers, row_drift
from hyperspy_cvae.phantoms._types import FloatArray


def bulk(structure: Structure, shape: tuple[int, int] = (40, 36)) -> FloatArray:
    return bifeo3(shape, 200, offset=695, structure=structure, seed=7).bulk.data.astype(float)


def l3_position(spectra: FloatArray) -> FloatArray:
    """Position of the L3 maximum in eV: the vertex of a parabola through three channels."""
    top = spectra[..., :100].argmax(-1)[..., None]
    left, middle, right = (
        np.take_along_axis(spectra, top + step, -1)[..., 0] for step in (-1, 0, 1)
    )
    return 695 + 0.3 * (top[..., 0] + 0.5 * (left - right) / (left - 2 * middle + right))


def test_uniform_crystal_is_uniform(uniform: Structure) -> None:
    spectra = bulk(uniform).reshape(-1, 200)
    assert np.allclose(spectra, spectra[0], rtol=1e-5)


def test_drift_is_one_offset_per_row(uniform: Structure) -> None:
    position = l3_position(bulk(replace(uniform, drift=0.5, jitter=0.05)))
    assert np.ptp(position, axis=1).max() < 1e-3
    assert np.std(position[:, 0]) == pytest.approx(0.5, rel=0.05)
    assert abs(np.diff(position[:, 0])).mean() < np.std(position[:, 0])


def test_drift_of_one_row_is_finite() -> None:
    assert row_drift(1, 0.5, 0.0, np.random.default_rng(0)) == pytest.approx(0)


def test_wedge_is_thicker_at_its_end(uniform: Structure) -> None:
    total = bulk(replace(uniform, wedge=0.5)).sum(-1)
    assert np.all(np.diff(total.mean(0)) > 0)


def test_thickness_changes_the_shape_not_only_the_height(uniform: Structure) -> None:
    spectra = bulk(replace(uniform, wedge=1.0, thickness=0.8))
    shapes = spectra / spectra.sum(-1, keepdims=True)
    assert abs(shapes[0, 0] / shapes[0, -1] - 1).max() > 0.01


def test_columns_are_periodic_and_opposite() -> None:
    iron, bismuth = columns((32, 32), period=8, contrast=0.2)
    assert np.allclose(iron[8:], iron[:-8])
    assert np.allclose(iron + bismuth, 2)
    assert iron.mean() == pytest.approx(1)


def test_domains_are_large_and_walls_narrow() -> None:
    kind, wall = domains((96, 96), 4, 30, 3.0, np.random.default_rng(2))
    assert set(np.unique(kind)) == {0, 1, 2, 3}
    assert (kind[:, 1:] == kind[:, :-1]).mean() > 0.9
    assert 0.02 < wall.mean() < 0.3


@pytest.mark.parametrize(
    "structure", [Structure(), Structure(layered=True), Structure(column=FineStructure())]
)
def test_shares_sum_to_one(structure: Structure) -> None:
    shares = kind_shares((20, 30), structure, np.random.default_rng(0))
    assert shares.min() >= 0
    assert np.allclose(shares.sum(-1), 1)


def test_layers_lie_over_each_other() -> None:
    kind, interface = layers((30, 5), 3, 2.0)
    assert np.array_equal(kind[:, 0], np.repeat([0, 1, 2], 10))
    assert np.array_equal(np.flatnonzero(interface[:, 0]), [9, 10, 19, 20])
    assert np.array_equal(kind, np.repeat(kind[:, :1], 5, axis=1))
    assert not layers((30, 5), 1, 2.0)[1].any()


def test_a_layer_may_lack_iron(uniform: Structure) -> None:
    film = FineStructure()
    stack = replace(uniform, domains=(film, replace(film, iron=0)), layered=True)
    spectra = bulk(stack)
    edge = spectra[..., 65].mean(1) - spectra[..., 20].mean(1)  # at the L3 maximum and before it
    assert edge[:20].min() > 0.1 * spectra[..., 20].mean()
    assert edge[20:].max() < 0


def test_fine_structure_of_columns(uniform: Structure) -> None:
    column = FineStructure(l3=715.4)
    structure = replace(uniform, column=column, column_period=8)
    position = l3_position(bulk(structure, (33, 33)))
    assert position[0, 0] == pytest.approx(position[8, 16]) == pytest.approx(715.4, abs=0.1)
    assert position[4, 4] == pytest.approx(713.4, abs=0.1)


def test_domains_differ_in_l3(uniform: Structure) -> None:
    pair = replace(
        uniform, domains=(FineStructure(l3=713), FineStructure(l3=714.5)), domain_size=12
    )
    position = l3_position(bulk(pair))
    assert np.ptp(position) == pytest.approx(1.5, abs=0.05)


def test_bulk_exceeds_four_components() -> None:
    spectra = bifeo3((64, 64), 200, offset=690, seed=5).bulk.data.reshape(-1, 200)
    variance = np.linalg.svd(spectra.astype(float), compute_uv=False) ** 2
    beyond_mean = variance[1:] / variance[1:].sum()
    assert beyond_mean[:3].sum() < 0.97


@pytest.mark.parametrize(
    ("parameter", "value", "sentence"),
    [
        ("domains", (), "domains is empty"),
        ("thickness", 0, "thickness is 0; it must be above 0"),
        ("column_contrast", 1.5, "column_contrast is 1.5; it must lie between 0 and 1"),
        ("drift", -1, "drift is -1; it must not be negative"),
    ],
)
def test_impossible_structures(parameter: str, value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Structure(**{parameter: value})  # type: ignore[arg-type]
