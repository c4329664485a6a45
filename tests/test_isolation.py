"""Rare kinds are islands; drifts and steps are not."""

import numpy as np
import pytest

from hyperspy_cvae.isolation import (
    axes_of_isolated,
    flipped,
    isolation,
    leading,
    only_in,
    product,
    scaled,
    without_isolated,
)


def places(kind: str) -> np.ndarray:
    random = np.random.default_rng(0)
    noise = random.normal(size=(400, 3))
    along = np.linspace(0, 60, 400)[:, np.newaxis]
    if kind == "drift":
        return noise + along * [1.0, 0.5, 0.0]
    if kind == "step":
        return noise + 40.0 * (along > 30) * [1.0, 0.0, 0.0]
    return noise


@pytest.mark.parametrize("kind", ["cloud", "drift", "step"])
def test_continuous_bulk_is_not_isolated_and_an_island_is(kind: str) -> None:
    used = np.ones(400, bool)
    assert (isolation(places(kind), used) <= 1).all()
    island = places(kind)
    island[:6] = np.random.default_rng(1).normal((0, 0, 400), 1, (6, 3))
    far = isolation(island, used)
    np.testing.assert_array_equal(np.flatnonzero(far > 1), np.arange(6))
    np.testing.assert_array_equal(np.flatnonzero(~without_isolated(used, far)), np.arange(6))


def test_no_more_than_a_fifth_is_isolated() -> None:
    far = np.linspace(0, 50, 100)
    assert without_isolated(np.ones(100, bool), far).sum() == 80


def test_leading_components_are_those_of_a_singular_value_decomposition() -> None:
    random = np.random.default_rng(0)
    for shape in ((300, 40), (40, 300)):
        spectra = random.normal(size=shape).astype(np.float32)
        spectra += 5 * random.normal(size=(shape[0], 1)) @ random.normal(size=(1, shape[1]))
        squares, components = leading(spectra.astype(np.float32), 3)
        values, axes = np.linalg.svd(spectra.astype(float), full_matrices=False)[1:]
        np.testing.assert_allclose(squares, values[:3] ** 2, rtol=1e-5)
        assert np.abs(np.sum(components[0] * axes[0])) == pytest.approx(1, abs=1e-5)
    exact = spectra.astype(float).T @ spectra
    np.testing.assert_allclose(product(spectra), exact, rtol=1e-4, atol=1e-4 * np.abs(exact).max())


def test_axes_are_those_that_only_isolated_spectra_have() -> None:
    random = np.random.default_rng(0)
    shared, own = np.linalg.qr(random.normal(size=(50, 2)))[0].T
    residual = random.normal(size=(600, 50))
    noise = [random.normal(size=residual.shape).astype(np.float32)]
    residual += random.normal(0, 6, size=(600, 1)) * shared
    residual[:8] += 60 * own
    usual, axes = axes_of_isolated(residual.astype(np.float32), noise, np.ones(600, bool), 6)
    assert not usual[:8].any()
    assert usual.sum() > 580
    assert len(axes) == 1
    assert abs(axes[0] @ own) > 0.95
    without = random.normal(size=(600, 50)).astype(np.float32)
    usual, axes = axes_of_isolated(without, noise, np.ones(600, bool), 6)
    assert usual.all()
    assert axes.shape == (0, 50)


def test_only_in() -> None:
    axes = np.eye(4, dtype=np.float32)
    (found,) = only_in(axes[:2], axes[1:3])
    np.testing.assert_allclose(np.abs(found), axes[0], atol=1e-6)


def test_flipped_noise_has_no_component_but_the_same_squares() -> None:
    random = np.random.default_rng(0)
    shared = np.outer(random.normal(size=500), np.ones(64)).astype(np.float32)
    noise = flipped(shared)
    np.testing.assert_array_equal(np.abs(noise), np.abs(shared))
    assert leading(noise, 1)[0][0] < 0.3 * leading(shared, 1)[0][0]
    assert not np.array_equal(noise, flipped(shared, seed=1))


def test_scaled_noise_is_alike_everywhere() -> None:
    random = np.random.default_rng(0)
    mean = np.linspace(50, 500, 30) * np.linspace(0.5, 2, 400)[:, np.newaxis]
    counts = random.poisson(mean).astype(np.float32)
    found = scaled(counts - mean.astype(np.float32), mean.astype(np.float32), np.ones(400, bool))
    np.testing.assert_allclose(found.std(0), 1, atol=0.15)
    np.testing.assert_allclose(found.std(1), 1, atol=0.5)
