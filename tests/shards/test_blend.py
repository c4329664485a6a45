"""Shards of a cube blend back to the cube, and shards that differ blend without seams."""

from collections.abc import Iterator

import numpy as np
import pytest

from hyperspy_cvae.shards import blend, starts, window


def _corners(
    scan: tuple[int, int], size: tuple[int, int], step: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    for row in starts(scan[0], size[0], step[0]):
        for column in starts(scan[1], size[1], step[1]):
            yield int(row), int(column)


@pytest.mark.parametrize("size", [1, 2, 3, 8, 23, 24])
def test_window_is_symmetric_and_nowhere_zero(size: int) -> None:
    weight = window(size)
    assert weight.shape == (size,)
    assert weight.min() > 0
    assert weight.max() <= 1
    np.testing.assert_allclose(weight, weight[::-1], rtol=1e-12)
    assert np.all(np.diff(weight[: (size + 1) // 2]) > 0)


@pytest.mark.parametrize("size", [2, 8, 24])
def test_windows_half_a_shard_apart_add_up_to_one(size: int) -> None:
    half = size // 2
    np.testing.assert_allclose(window(size)[:half] + window(size)[half:], 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("scan", "size", "step"),
    [
        ((48, 60), (24, 24), (12, 12)),
        ((49, 37), (24, 16), (12, 5)),
        ((20, 13), (8, 8), (8, 8)),
        ((1, 100), (1, 24), (1, 12)),
        ((49, 6), (24, 6), (7, 3)),
        ((1, 1), (1, 1), (1, 1)),
    ],
)
def test_the_shards_of_a_cube_are_the_cube(
    scan: tuple[int, int], size: tuple[int, int], step: tuple[int, int]
) -> None:
    cube = np.random.default_rng(3).normal(2, 1, (*scan, 5)).astype(np.float32)
    shards = (
        (row, column, cube[row : row + size[0], column : column + size[1]])
        for row, column in _corners(scan, size, step)
    )
    blended = blend(shards, cube.shape)
    assert blended.dtype == np.float32
    np.testing.assert_allclose(blended, cube, rtol=2e-6, atol=2e-6)


def test_the_shards_of_a_constant_are_the_constant() -> None:
    shards = ((r, c, np.full((24, 24, 3), 7.0)) for r, c in _corners((50, 77), (24, 24), (9, 12)))
    np.testing.assert_allclose(blend(shards, (50, 77, 3)), 7, rtol=1e-6)


def test_the_middle_of_a_shard_counts_more_than_its_margin() -> None:
    shards = [(0, 0, np.zeros((1, 9, 1))), (0, 3, np.ones((1, 9, 1)))]
    blended = blend(shards, (1, 12, 1))[0, :, 0]
    assert blended[:3].tolist() == [0, 0, 0]
    assert blended[9:].tolist() == [1, 1, 1]
    assert np.all(np.diff(blended[2:10]) > 0)
    # Halfway between the two middles both count the same.
    assert blended[5] + blended[6] == pytest.approx(1)


@pytest.mark.parametrize("step", [6, 12])
def test_no_seams_between_shards_that_differ(step: int) -> None:
    random = np.random.default_rng(7)
    scan, size = (60, 71), (24, 24)
    offsets = [
        (row, column, np.full((*size, 1), random.uniform(-1, 1)))
        for row, column in _corners(scan, size, (step, step))
    ]
    blended = blend(offsets, (*scan, 1))[..., 0]
    span = np.ptp([shard[0, 0, 0] for _, _, shard in offsets])
    # The steepest slope of a raised cosine of this length; a hard edge would be a few times that.
    steepest = span * np.pi / size[0]
    for axis in (0, 1):
        assert np.abs(np.diff(blended, axis=axis)).max() <= steepest
    assert np.ptp(blended) > 0.5


def test_what_lies_beyond_the_cube_is_left_out() -> None:
    cube = np.random.default_rng(4).normal(2, 1, (20, 17, 3)).astype(np.float32)
    padded = np.pad(cube, ((4, 4), (4, 4), (0, 0)), constant_values=np.nan)
    shards = [
        (row, column, np.nan_to_num(padded[row + 4 : row + 12, column + 4 : column + 12], nan=1e6))
        for row in starts(20, 8, 4, 4)
        for column in starts(17, 8, 4, 4)
    ]
    np.testing.assert_allclose(blend(shards, cube.shape), cube, rtol=2e-6, atol=2e-6)


def test_a_pixel_in_no_shard_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 pixels of the scan lie in no shard"):
        blend([(0, 0, np.ones((3, 4, 2)))], (3, 5, 2))
    with pytest.raises(ValueError, match="12 pixels"):
        blend([], (3, 4, 2))


def test_shards_are_left_as_they_are() -> None:
    shard = np.ones((4, 4, 2), dtype=np.float32)
    blend([(0, 0, shard)], (4, 4, 2))
    assert np.all(shard == 1)
