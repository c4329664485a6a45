"""What a reconstruction is of a scan that lies the other way round."""

import dask.array as da
import numpy as np
import pytest
from numpy.typing import NDArray

from hyperspy_cvae.phantoms import bifeo3
from hyperspy_cvae.reconstruction import CVAE, CVAEConfig, Mean, reconstructed_turned
from hyperspy_cvae.training import TrainingConfig


def test_every_spectrum_comes_back_to_its_place() -> None:
    cube = np.random.default_rng(0).random((4, 5, 3)).astype(np.float32)
    corner = np.zeros((4, 5, 1), np.float32)
    corner[0, 1] = 1

    def with_corner(scan: NDArray[np.float32]) -> NDArray[np.float32]:
        return scan + corner

    np.testing.assert_array_equal(
        reconstructed_turned(with_corner, cube), cube + corner[::-1, ::-1]
    )


def test_what_treats_each_pixel_by_itself_does_not_change() -> None:
    cube = bifeo3((9, 8), channels=64, offset=690, seed=3).signal.data
    mean = Mean().fit(cube)
    np.testing.assert_allclose(
        reconstructed_turned(mean.reconstruct, cube), mean.reconstruct(cube), rtol=1e-6
    )


def test_a_network_in_memory_and_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hyperspy_cvae.blocks._BLOCK", 40_000)
    monkeypatch.setattr("hyperspy_cvae.blocks._IN_MEMORY", 1)
    monkeypatch.setattr("hyperspy_cvae.reconstruction._shardwise._TILE", 200_000)
    cube = bifeo3((61, 50), channels=64, offset=690, seed=3).signal.data
    model = CVAE(CVAEConfig(training=TrainingConfig(epochs=2)), "cpu").fit(cube)
    once = reconstructed_turned(model.reconstruct, cube)
    lazy = reconstructed_turned(model.reconstruct, da.from_array(cube, chunks=(13, 7, 30)))
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy.compute(), once, rtol=1e-3, atol=1e-3)
    assert not np.allclose(once, model.reconstruct(cube), rtol=1e-3)
