"""The simplest reconstructors, beside what they have to give."""

import numpy as np
import pytest

from hyperspy_cvae.reconstruction import Mean, TileMedian


@pytest.fixture
def cube() -> np.ndarray:
    rng = np.random.default_rng(0)
    thickness = np.linspace(1, 3, 30)[:, None, None]
    return rng.poisson(thickness * np.linspace(90, 20, 25) * np.ones((30, 26, 1))).astype(
        np.float32
    )


def test_mean_has_the_counts_of_each_spectrum(cube: np.ndarray) -> None:
    mean = Mean().fit(cube).reconstruct(cube)
    np.testing.assert_allclose(mean.sum(-1), cube.sum(-1), rtol=1e-5)
    shape = cube.mean((0, 1), dtype=float) / cube.mean((0, 1), dtype=float).sum()
    np.testing.assert_allclose(mean / mean.sum(-1, keepdims=True), shape + 0 * mean, rtol=1e-4)


def test_mean_of_the_pixels_in_use(cube: np.ndarray) -> None:
    use = np.ones(cube.shape[:2], bool)
    use[:10] = False
    spoilt = cube.copy()
    spoilt[:10, :, 3] += 1e4
    np.testing.assert_array_equal(
        Mean().fit(spoilt, use).reconstruct(cube), Mean().fit(cube, use).reconstruct(cube)
    )


def test_tile_median_does_not_follow_a_minority(cube: np.ndarray) -> None:
    foreign = cube.copy()
    foreign[:8, :8, 12] *= 5
    kept = TileMedian(16).fit(foreign).reconstruct(foreign)[4, 4]
    before = TileMedian(16).fit(cube).reconstruct(cube)[4, 4]
    share = kept[12] / kept.sum(), before[12] / before.sum()
    assert share[0] == pytest.approx(share[1], rel=0.1)


@pytest.mark.parametrize("shape", [(16, 16), (17, 40), (5, 33), (1, 9)])
def test_tiles_cover_any_scan(cube: np.ndarray, shape: tuple[int, int]) -> None:
    scan = np.resize(cube, (*shape, 25))
    spectra = TileMedian(16).reconstruct(scan)
    assert spectra.shape == scan.shape
    np.testing.assert_allclose(spectra.sum(-1), scan.sum(-1), rtol=1e-4)


def test_empty_spectra_stay_empty() -> None:
    empty = np.zeros((4, 4, 6), np.float32)
    for reconstructor in (Mean(), TileMedian(2)):
        assert not reconstructor.fit(empty).reconstruct(empty).any()


def test_errors(cube: np.ndarray) -> None:
    with pytest.raises(ValueError, match="call fit first"):
        Mean().reconstruct(cube)
    with pytest.raises(ValueError, match="tile is 0"):
        TileMedian(0)


def test_tile_median_of_some_spectra(cube: np.ndarray) -> None:
    use = np.ones(cube.shape[:2], bool)
    use[:, 5:] = False
    spoilt = np.where(use[..., None], cube, 0).astype(np.float32)
    spectra = TileMedian(16).fit(spoilt, use).reconstruct(cube)
    shape = np.median((cube / cube.sum(-1, keepdims=True))[:16, :5], axis=(0, 1))
    np.testing.assert_allclose(spectra[3, 9] / spectra[3, 9].sum(), shape / shape.sum(), rtol=1e-3)
