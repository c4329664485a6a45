"""As many components as rise above the noise, without what is rare."""

import numpy as np
import pytest

from hyperspy_cvae.low_rank import low_rank_bulk
from hyperspy_cvae.reconstruction import LowRank

ENERGY = np.linspace(-1, 1, 80)


def spectra(rank: int, number: int = 400, dose: float = 200.0) -> np.ndarray:
    """Mixtures of so many lines on a background."""
    random = np.random.default_rng(rank)
    lines = np.exp(-(((ENERGY - np.linspace(-0.7, 0.7, rank)[:, np.newaxis]) / 0.15) ** 2))
    return np.asarray(dose * (1 + random.random((number, rank)) @ lines))


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_components_are_counted_and_come_near_the_truth(rank: int) -> None:
    bulk = spectra(rank)
    counts = np.random.default_rng(9).poisson(bulk).astype(np.float32)
    found = low_rank_bulk(counts, np.ones(len(counts), bool))
    # Mixtures on a background of its own: one component more than there are lines.
    assert len(found.components) == rank + 1
    assert found.usual.all()
    error = (found.expected(counts) - bulk) / np.sqrt(bulk)
    assert np.square(error).mean() < 1.5 * (rank + 1) / ENERGY.size


def test_what_is_rare_is_not_learnt() -> None:
    bulk = spectra(2)
    rare = bulk.copy()
    rare[:8] += 300 * np.exp(-((ENERGY / 0.05) ** 2))
    counts = np.random.default_rng(9).poisson(rare).astype(np.float32)
    found = low_rank_bulk(counts, np.ones(len(counts), bool))
    np.testing.assert_array_equal(np.flatnonzero(~found.usual), np.arange(8))
    expected = found.expected(counts)
    np.testing.assert_allclose(expected[8:].mean(0), bulk[8:].mean(0), rtol=0.03)
    assert (expected[:8, 40] < 0.75 * rare[:8, 40]).all()


def test_dead_channels_and_dark_spectra() -> None:
    counts = np.random.default_rng(9).poisson(spectra(2)).astype(np.float32)
    counts[:, 7] = 0
    counts[5] = 0
    used = np.ones(len(counts), bool)
    used[5] = False
    expected = low_rank_bulk(counts, used).expected(counts)
    assert np.isfinite(expected).all()
    assert (expected[:, 7] == 0).all()
    np.testing.assert_allclose(expected[5], 0, atol=1e-6)


def test_a_perfect_fit_has_one_component() -> None:
    exact = np.outer(np.linspace(1, 2, 50), 100 + ENERGY).astype(np.float32)
    assert len(low_rank_bulk(exact, np.ones(50, bool)).components) == 1


def test_the_reconstructor_learns_where_it_is_told_to() -> None:
    counts = np.random.default_rng(9).poisson(spectra(2)).astype(np.float32).reshape(20, 20, -1)
    use = np.ones((20, 20), bool)
    use[0, 0] = False
    strange = counts.copy()
    strange[0, 0] = 1000
    one, other = (LowRank().fit(cube, use).reconstruct(counts) for cube in (counts, strange))
    np.testing.assert_allclose(one, other, rtol=1e-4)
    with pytest.raises(ValueError, match="call fit first"):
        LowRank().reconstruct(counts)
