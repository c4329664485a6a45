"""What a reconstruction misses where bulk is alike, and what is not to be added to it."""

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from hyperspy_cvae.phantoms import bifeo3
from hyperspy_cvae.reconstruction import CVAE, PAPER_CVAE, CVAEConfig
from hyperspy_cvae.reconstruction._corrected import _functions, corrected
from hyperspy_cvae.training import TrainingConfig

SIDE, ENERGIES = 72, np.arange(60)
Spectra = NDArray[np.float32]


def thickness() -> NDArray[np.float64]:
    slow = gaussian_filter(np.random.default_rng(5).normal(size=(SIDE, SIDE)), 10)
    return np.asarray(1 + 0.15 * slow / slow.std())


def composition() -> NDArray[np.float64]:
    slow = gaussian_filter(np.random.default_rng(6).normal(size=(SIDE, SIDE)), 3)
    return np.asarray(slow / slow.std())


def spectra(missed: float, dose: float = 40.0) -> tuple[Spectra, Spectra]:
    """Bulk that varies in kind and thickness, and a reconstruction that misses some of both."""
    line = np.exp(-(((ENERGIES - 20) / 4) ** 2))
    other = np.exp(-(((ENERGIES - 42) / 3) ** 2))
    kind, thick = composition()[..., np.newaxis], thickness()[..., np.newaxis]
    first = 1 + line * (1 + 0.2 * kind)
    bulk = first + missed * other * (kind**2 - 1) + 3 * missed * other * (thick - 1)
    return tuple(  # type: ignore[return-value]
        (dose * thick * each / each.sum(-1, keepdims=True) * ENERGIES.size).astype(np.float32)
        for each in (bulk, first)
    )


def counted(bulk: Spectra) -> Spectra:
    return np.random.default_rng(7).poisson(bulk).astype(np.float32)


def error(reconstruction: Spectra, bulk: Spectra) -> float:
    """As a score sees it: averaged over neighbours."""
    return float(np.square(gaussian_filter(reconstruction - bulk, (2, 2, 1))).mean())


def test_what_goes_with_kind_and_thickness_is_added() -> None:
    bulk, first = spectra(missed=0.2)
    measured = counted(bulk)
    before = measured.copy(), first.copy()
    found = corrected(measured, first)
    assert found.dtype == np.float32
    assert error(found, bulk) < 0.1 * error(first, bulk)
    np.testing.assert_allclose(found.sum(-1), first.sum(-1), rtol=1e-4)
    np.testing.assert_array_equal(measured, before[0])
    np.testing.assert_array_equal(first, before[1])


@pytest.mark.parametrize("dose", [2.0, 40.0])
def test_noise_is_hardly_copied(dose: float) -> None:
    bulk, first = spectra(missed=0.0, dose=dose)
    measured = counted(bulk)
    assert error(corrected(measured, first), bulk) < 0.02 * error(measured, bulk)


@pytest.mark.parametrize("missed", [0.0, 0.2])
def test_an_anomaly_that_is_followed_in_part_is_followed_no_further(missed: float) -> None:
    """Not even one that occurs in several places, of the same kind."""
    bulk, first = spectra(missed)
    foreign = np.zeros((SIDE, SIDE), bool)
    for row, column in [(10, 10), (30, 55), (50, 20), (60, 60)]:
        foreign[row : row + 7, column : column + 7] = True
    there, followed = bulk.copy(), first.copy()
    there[foreign, 30:36] *= 1.4
    followed[foreign, 30:36] *= 1.1
    excess = (there - bulk)[foreign].mean(0)[30:36]
    found = corrected(counted(there), followed) - followed
    clean = corrected(counted(bulk), first) - first
    more = (found - clean)[foreign].mean(0)[30:36]
    assert abs(more @ excess) < 0.15 * excess @ excess


def test_a_kind_of_tiles_is_told_by_the_others_as_far_as_it_agrees() -> None:
    random = np.random.default_rng(3)
    terms, noise = random.normal(size=(4, 90, 6)), random.normal(size=(4, 90, 20))
    signal = terms @ random.normal(size=(6, 20))
    transposed = np.swapaxes(terms, 1, 2)

    def expected(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
        return terms @ _functions(transposed @ terms, transposed @ residuals)

    found = expected(signal + noise)
    assert np.square(found - signal).mean() < 0.15 * np.square(noise).mean()
    # In one kind everything is the other way round. It is told the same by the others, but less.
    signal[2] *= -1
    after = expected(signal + noise)
    share = (after[2] * found[2]).sum() / np.square(found[2]).sum()
    assert 0.2 < share < 0.8
    np.testing.assert_allclose(after[2], share * found[2], atol=0.3 * np.abs(found[2]).max())


def test_thin_places_and_vacuum_stay_as_they_are() -> None:
    bulk, first = spectra(missed=0.2)
    bulk[:, :9] *= 0.01
    first[:, :9] *= 0.01
    bulk[:, :4] = first[:, :4] = 0
    found = corrected(counted(bulk), first)
    np.testing.assert_array_equal(found[:, :9], first[:, :9])
    assert error(found[:, 12:], bulk[:, 12:]) < 0.2 * error(first[:, 12:], bulk[:, 12:])


@pytest.mark.parametrize("shape", [(20, 20, 60), (72, 72, 1), (1, 5, 60)])
def test_where_too_little_is_known_it_stays(shape: tuple[int, ...]) -> None:
    first = np.random.default_rng(0).random(shape).astype(np.float32) + 9
    np.testing.assert_array_equal(corrected(first * 2, first), first)
    nothing = np.zeros(shape, np.float32)
    np.testing.assert_array_equal(corrected(nothing, nothing), nothing)


def test_a_bulk_that_does_not_vary() -> None:
    first = np.full((SIDE, SIDE, 60), 50, np.float32)
    bulk = first * np.linspace(0.9, 1.1, 60, dtype=np.float32)
    found = corrected(counted(bulk), first)
    assert error(found, bulk) < 0.02 * error(first, bulk)


def test_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    bulk, first = spectra(missed=0.2)
    measured = counted(bulk)
    once = corrected(measured, first)
    monkeypatch.setattr("hyperspy_cvae.blocks._BLOCK", 200_000)
    monkeypatch.setattr("hyperspy_cvae.blocks._IN_MEMORY", 1)
    lazy = corrected(*(da.from_array(each, chunks=(19, 31, 60)) for each in (measured, first)))
    assert isinstance(lazy, da.Array)
    assert max(lazy.numblocks) > 1
    np.testing.assert_allclose(lazy.compute(), once, rtol=1e-4)


def test_a_network_is_corrected_unless_told_otherwise() -> None:
    cube = bifeo3((48, 48), channels=64, offset=690, seed=3).signal.data
    config = CVAEConfig(training=TrainingConfig(epochs=2), correction=False)
    first = CVAE(config, "cpu").fit(cube).reconstruct(cube)
    found = CVAE(replace(config, correction=True), "cpu").fit(cube).reconstruct(cube)
    np.testing.assert_array_equal(found, corrected(cube, first))
    assert not np.array_equal(found, first)
    assert CVAEConfig().correction
    assert not PAPER_CVAE.correction
