"""Held-out tiles lie inside the scan, apart from each other, where there is something to see."""

import numpy as np
import pytest

from hyperspy_cvae.shards import shard_size
from hyperspy_cvae.training import held_out_tiles

SCANS = [(192, 192), (48, 60), (49, 6), (45, 22), (30, 20), (7, 5), (1, 100), (100, 1), (1, 2)]


def _shape(scan: tuple[int, int]) -> tuple[int, int]:
    return shard_size(scan[0]), shard_size(scan[1])


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.3])
def test_tiles_lie_in_the_scan_and_apart(scan: tuple[int, int], fraction: float) -> None:
    shape = _shape(scan)
    for seed in range(5):
        tiles = held_out_tiles(
            np.ones(scan, dtype=bool), shape, fraction, np.random.default_rng(seed)
        )
        assert tiles
        count = np.zeros(scan, dtype=int)
        for tile in tiles:
            for axis in (0, 1):
                assert 0 <= tile.region[axis].start < tile.region[axis].stop <= scan[axis]
                extent = tile.region[axis].stop - tile.region[axis].start
                assert extent == (shape[axis] + 1) // 2
            count[tile.region] += 1
        assert count.max() == 1
        assert count.min() == 0  # something is left to train on


@pytest.mark.parametrize("scan", SCANS)
def test_a_tile_is_where_its_shard_says(scan: tuple[int, int]) -> None:
    shape = _shape(scan)
    pixels = np.arange(scan[0] * scan[1]).reshape(scan)
    for seed in range(5):
        for tile in held_out_tiles(
            np.ones(scan, dtype=bool), shape, 0.3, np.random.default_rng(seed)
        ):
            row, column = tile.shard
            assert 0 <= row <= scan[0] - shape[0]
            assert 0 <= column <= scan[1] - shape[1]
            shard = pixels[row : row + shape[0], column : column + shape[1]]
            assert shard.shape == shape
            np.testing.assert_array_equal(shard[tile.within], pixels[tile.region])


def test_a_tile_lies_in_the_middle_of_its_shard_where_the_scan_allows() -> None:
    tiles = held_out_tiles(np.ones((120, 120), dtype=bool), (24, 24), 0.9, np.random.default_rng(0))
    inner = [tile for tile in tiles if 12 <= tile.region[0].start < 96]
    assert inner
    assert all(tile.within[0] == slice(6, 18) for tile in inner)


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.25])
def test_fraction_of_the_scan(fraction: float) -> None:
    tiles = held_out_tiles(
        np.ones((192, 192), dtype=bool), (24, 24), fraction, np.random.default_rng(1)
    )
    assert len(tiles) * 144 == pytest.approx(fraction * 192**2, abs=72)


@pytest.mark.parametrize("seed", range(8))
def test_tiles_hold_spectra_that_may_be_used(seed: int) -> None:
    use = np.zeros((48, 48), dtype=bool)
    use[24:, 30:40] = True
    for tile in held_out_tiles(use, (24, 24), 0.1, np.random.default_rng(seed)):
        assert use[tile.region].any()


@pytest.mark.parametrize("seed", range(8))
def test_some_of_the_spectra_are_left_for_training(seed: int) -> None:
    use = np.zeros((48, 48), dtype=bool)
    use[2:6, 2:6] = True  # smaller than a tile
    left = use.copy()
    for tile in held_out_tiles(use, (24, 24), 0.05, np.random.default_rng(seed)):
        left[tile.region] = False
    assert left.any()


def test_nothing_usable_no_tile() -> None:
    use = np.zeros((48, 48), dtype=bool)
    assert held_out_tiles(use, (24, 24), 0.1, np.random.default_rng(0)) == []


def test_one_pixel_has_nothing_to_hold_out() -> None:
    use = np.ones((1, 1), dtype=bool)
    assert held_out_tiles(use, (1, 1), 0.05, np.random.default_rng(0)) == []


def test_the_draw_follows_the_seed() -> None:
    use = np.ones((96, 96), dtype=bool)
    one, same, other = (
        held_out_tiles(use, (24, 24), 0.05, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_the_mask_is_left_as_it_is() -> None:
    use = np.ones((48, 48), dtype=bool)
    held_out_tiles(use, (24, 24), 0.3, np.random.default_rng(0))
    assert use.all()
