"""What is done block by block is what is done at once, wherever the blocks are."""

import gc
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest

from hyperspy_cvae import blocks
from hyperspy_cvae.blocks import (
    blockwise,
    computing,
    in_blocks,
    in_memory,
    in_tiles,
    kept,
    replaced,
    spectra_at,
    to_map,
    totals,
)
from hyperspy_cvae.smoothing import reach, smoothed


@pytest.fixture
def cube() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(37, 29, 6)).astype(np.float32)


def chunked(cube: np.ndarray) -> da.Array:
    return da.from_array(cube, chunks=(9, 7, 2))


def test_blocks_hold_all_energies_and_view_what_is_in_memory(
    cube: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert in_blocks(chunked(cube)).numblocks[2] == 1
    monkeypatch.setattr(blocks, "_BLOCK", 2000)
    small = in_blocks(chunked(cube))
    assert small.chunks[2] == (6,)
    assert max(small.chunks[0]) * max(small.chunks[1]) * 6 * 4 <= 2000
    views = to_map(lambda block: np.full(block.shape[:2], np.shares_memory(block, cube)), cube)
    assert views.all()
    assert in_memory(cube) is cube
    np.testing.assert_array_equal(in_memory(chunked(cube)), cube)


@pytest.mark.parametrize(
    "shape", [(500, 400, 300), (1, 5000, 1000), (5000, 3, 1000), (8, 9000, 60), (1, 5000, 20)]
)
@pytest.mark.parametrize("lazy", [False, True])
def test_blocks_of_whole_tiles_stay_so(shape: tuple[int, int, int], lazy: bool) -> None:
    cube = np.broadcast_to(np.float32(1), shape)
    given = da.from_array(cube, chunks=(17, 100, -1)) if lazy else cube
    tiles = in_tiles(given, 12)  # type: ignore[arg-type]
    made = blockwise(lambda block: block, tiles, channels=shape[2])
    assert made.chunks == tiles.chunks
    for sizes, extent in zip(tiles.chunks[:2], shape[:2], strict=True):
        assert sum(sizes) == extent
        assert not any(size % 12 for size in sizes[:-1])
    assert tiles.npartitions > 1 or tiles.nbytes < blocks._BLOCK


@pytest.mark.parametrize("radius", [0.5, 1.5, 3.0, 12.0])
def test_blocks_are_given_what_lies_around_them(
    cube: np.ndarray, radius: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scipy reflects at borders: at those of the scan, and at none of a block."""
    monkeypatch.setattr(blocks, "_BLOCK", 2000)
    whole = smoothed(cube, radius)

    def smooth(block: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return smoothed(block * weight, radius)

    weight = np.ones(cube.shape[:2])
    for each in (cube, chunked(cube)):
        found = blockwise(smooth, each, weight, channels=6, reach=reach(radius))
        np.testing.assert_allclose(found.compute(), whole, atol=2e-6)
        total = to_map(lambda *all: smooth(*all).sum(-1), each, weight, reach=reach(radius))
        np.testing.assert_allclose(total, whole.sum(-1), atol=1e-5)


def test_sums_and_single_spectra(cube: np.ndarray) -> None:
    pixels = np.random.default_rng(1).random(cube.shape[:2]) < 0.1
    order = np.nonzero(pixels)[0][::-1], np.nonzero(pixels)[1][::-1]
    for each in (cube, chunked(cube), in_blocks(cube)):
        np.testing.assert_allclose(totals(_sum, each), cube.sum((0, 1)), rtol=1e-4)
        np.testing.assert_array_equal(spectra_at(each, pixels), cube[pixels])
        np.testing.assert_array_equal(spectra_at(each, order), cube[order])


def _sum(block: np.ndarray) -> np.ndarray:
    return np.asarray(block.sum((0, 1)))


def test_some_spectra_are_replaced_in_a_copy(cube: np.ndarray) -> None:
    before = cube.copy()
    pixels = np.random.default_rng(1).random(cube.shape[:2]) < 0.1
    spectra = np.arange(6 * pixels.sum(), dtype=np.float32).reshape(-1, 6)
    expected = cube.copy()
    expected[pixels] = spectra
    for each in (cube, chunked(cube)):
        np.testing.assert_array_equal(replaced(each, pixels, spectra), expected)
    np.testing.assert_array_equal(cube, before)


@pytest.mark.parametrize("in_memory", [0, 2**20])
def test_what_is_kept_is_computed_once(
    cube: np.ndarray, in_memory: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(blocks, "_IN_MEMORY", in_memory)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    computed = []

    def twice(block: np.ndarray) -> np.ndarray:
        computed.append(block.shape)
        return 2 * block

    found = kept(blockwise(twice, chunked(cube), channels=6))
    times = len(computed)
    np.testing.assert_array_equal(found[5:20, 3:4].compute(), 2 * cube[5:20, 3:4])
    np.testing.assert_array_equal(found.compute(), 2 * cube)
    some = np.array([3, 0, 3]), np.array([1, 2, 2])
    np.testing.assert_array_equal(spectra_at(found, some), 2 * cube[some])
    assert len(computed) == times > 0
    assert len(list(tmp_path.iterdir())) == (not in_memory)
    del found
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_what_is_kept_is_right_where_processes_compute(cube: np.ndarray) -> None:
    with dask.config.set(scheduler="processes", num_workers=1):
        np.testing.assert_array_equal(kept(chunked(cube) * 2).compute(), 2 * cube)


@pytest.mark.parametrize("wanted", [True, False])
def test_one_bar_shows_the_passes_over_what_is_on_disk(
    wanted: bool, cube: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    with computing(lazy=True, show_progressbar=wanted):
        for _ in range(3):
            to_map(lambda block: block.sum(-1), chunked(cube))
    shown = capsys.readouterr().err
    assert ("Pass 3 over the spectrum image" in shown) == wanted
    assert bool(shown) == wanted
    with computing(lazy=False, show_progressbar=wanted):
        to_map(lambda block: block.sum(-1), cube)
    assert not capsys.readouterr().err


def test_no_cube_in_memory_is_copied() -> None:
    first, second = np.zeros((2, 40, 30, 5), np.float32)
    shared = []

    def noted(*blocks: np.ndarray) -> np.ndarray:
        pairs = zip(blocks, (first, second), strict=True)
        shared.append([np.shares_memory(block, cube) for block, cube in pairs])
        return blocks[0]

    blockwise(noted, first, second, channels=5).compute()
    assert shared
    assert np.all(shared)


def test_cubes_of_other_extents_are_refused() -> None:
    cube = np.zeros((37, 29, 6), np.float32)
    with pytest.raises(ValueError, match="shape"):
        blockwise(lambda block, _: block, cube, np.zeros((50, 60)), channels=6)
