"""What the rest of a spectrum does not predict is left out of a training."""

import dask.array as da
import numpy as np
import pytest

from hyperspy_cvae.training import Outliers

MOST, PIECE = 0.08, 24 * 24


def lines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    energies = np.arange(80)
    maxima = np.stack([first, second], -1)[..., np.newaxis] + np.array([[20], [60]])
    return (80 + 150 * np.exp(-(((energies - maxima) / 3) ** 2)).sum(-2)).astype(np.float32)


def counted(spectra: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(spectra).astype(np.float32)


def strain(side: int = 80) -> np.ndarray:
    return np.tile(np.linspace(-2, 2, side), (side, 1))


def found_in(measured: np.ndarray, most: float = MOST) -> np.ndarray:
    return Outliers(measured, np.ones(measured.shape[:2], bool), most, PIECE).first


@pytest.mark.parametrize("side", [16, 30, 80])
def test_of_noise_hardly_any_is(side: int) -> None:
    found = found_in(counted(lines(strain(side), strain(side))))
    assert found.mean() <= MOST


@pytest.mark.parametrize("seed", range(3))
def test_an_anomaly_is_and_rare_bulk_is_not(seed: int) -> None:
    """Strain moves two lines together."""
    rare, anomaly = np.zeros((2, 80, 80), bool)
    rare[5:11, 5:11] = anomaly[25:31, 25:31] = True
    first = np.where(rare, 2.5, strain())
    found = found_in(counted(lines(first, first - 3 * anomaly), seed))
    assert found[26:30, 26:30].all()
    assert found[6:10, 6:10].mean() < 0.5


@pytest.mark.parametrize("side", [16, 30])
def test_in_small_scans_what_is_isolated(side: int) -> None:
    second = strain(side)
    second[9:12, 4:7] -= 6
    found = found_in(counted(lines(strain(side), second)))
    assert found[9:12, 4:7].all()
    assert found.sum() < 30


@pytest.mark.parametrize("factor", [1e-3, 1e4])
@pytest.mark.parametrize("side", [30, 60])
def test_the_scale_of_intensities_does_not_matter(side: int, factor: float) -> None:
    second = strain(side)
    second[9:12, 4:7] -= 6
    measured = counted(lines(strain(side), second))
    assert (found_in(measured * np.float32(factor)) != found_in(measured)).mean() < 0.01


def test_a_piece_that_can_fill_a_shard_is_bulk() -> None:
    first, second = strain(), strain()
    second[20:30, 20:30] -= 3
    second[40:66, 40:66] -= 3
    found = found_in(counted(lines(first, second)), most=0.2)
    assert found[22:28, 22:28].all()
    assert not found[44:62, 44:62].any()


def test_the_same_on_disk() -> None:
    second = strain(60)
    second[9:12, 4:7] -= 6
    measured = counted(lines(strain(60), second))
    on_disk = Outliers(da.from_array(measured, (30, 30, 80)), np.ones((60, 60), bool), MOST, PIECE)
    assert (on_disk.first != found_in(measured)).mean() < 0.01


@pytest.mark.parametrize("shape", [(60, 60, 1), (3, 40, 80), (60, 60, 80)])
def test_empty_spectra_and_few_channels(shape: tuple[int, int, int]) -> None:
    measured = np.random.default_rng(0).poisson(np.full(shape, 100.0)).astype(np.float32)
    measured[: shape[0] // 3] = 0
    use = measured.any(2)
    assert Outliers(measured, use, MOST, PIECE).first.dtype == bool
    assert not Outliers(np.zeros_like(measured), use, MOST, PIECE).first.any()


def test_beside_a_network_what_both_explain_badly() -> None:
    """Rare bulk is unknown to the network, and the prediction is wrong where it is not."""
    rare, anomaly, extreme = np.zeros((3, 80, 80), bool)
    rare[5:11, 5:11] = anomaly[25:31, 25:31] = extreme[50:56, 50:56] = True
    first = np.where(rare, 2.5, strain())
    second = first - 3 * anomaly - 3 * extreme
    outliers = Outliers(counted(lines(first, second)), np.ones((80, 80), bool), MOST, PIECE)
    assert outliers.first[51:55, 51:55].all()
    known = lines(np.where(rare, 2, first), np.where(rare, 2, first - 3 * extreme))
    found, bulk = outliers.beside(known)
    assert (bulk[6:10, 6:10] > 1).mean() > 0.5
    assert not bulk[26:30, 26:30].any()
    assert found[26:30, 26:30].all()
    assert not found[51:55, 51:55].any()
    assert found[6:10, 6:10].mean() < 0.5
