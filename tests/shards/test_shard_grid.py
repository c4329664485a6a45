"""Shards cover every scan, whatever its size."""

import numpy as np
import pytest

from hyperspy_cvae.shards import reflected, shard_size, starts


@pytest.mark.parametrize("share", [0.0, 0.34, 0.5, 0.75, 1.0])
def test_shards_cover_any_axis_without_a_gap(share: float) -> None:
    for length in range(1, 201):
        for size in {1, 2, 3, 7, 8, 16, 24, length // 2, length - 1, length}:
            if not 1 <= size <= length:
                continue
            step = max(1, round(share * size))
            first = starts(length, size, step)
            case = f"length {length}, size {size}, step {step}: {first}"
            assert first[0] == 0, case
            assert first[-1] == length - size, case
            # A gap would be a distance above the size; the step is at most the size.
            assert np.all(np.diff(first) <= step), case
            assert np.all(np.diff(first) > 0), case


def test_starts_index_arrays() -> None:
    assert starts(10, 4, 3).dtype.kind == "i"


def test_shards_are_evenly_spread() -> None:
    distances = np.diff(starts(190, 24, 12))
    assert distances.max() - distances.min() <= 1


def test_one_shard_where_the_axis_is_one_shard_long() -> None:
    np.testing.assert_array_equal(starts(24, 24, 12), [0])
    np.testing.assert_array_equal(starts(1, 1, 1), [0])


def test_no_more_shards_than_needed() -> None:
    assert len(starts(192, 24, 24)) == 8
    assert len(starts(193, 24, 24)) == 9


def test_a_shard_fits_on_any_axis() -> None:
    sizes = [shard_size(length) for length in range(1, 201)]
    for length, size in enumerate(sizes, start=1):
        assert 1 <= size <= min(length, 24)
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("length", "size"),
    [(1, 1), (7, 7), (8, 8), (31, 8), (32, 16), (47, 16), (48, 24), (2000, 24)],
)
def test_the_published_size_where_the_axis_bears_it(length: int, size: int) -> None:
    assert shard_size(length) == size


@pytest.mark.parametrize("largest", [1, 5, 16])
def test_no_shard_above_the_largest(largest: int) -> None:
    assert max(shard_size(length, largest) for length in range(1, 201)) == largest


@pytest.mark.parametrize("margin", [1, 6, 12])
def test_shards_reach_a_margin_beyond_both_ends(margin: int) -> None:
    first = starts(100, 24, 12, margin)
    assert first[0] == -margin
    assert first[-1] + 24 == 100 + margin
    assert np.all(np.diff(first) <= 12)


@pytest.mark.parametrize("length", [1, 2, 5, 30])
def test_an_axis_is_reflected_at_its_ends(length: int) -> None:
    size = length
    for start in range(-(length // 2), length // 2 + 1):
        pixels = reflected(start, size, length)
        inside = np.arange(max(0, start), min(length, start + size))
        assert pixels.shape == (size,)
        np.testing.assert_array_equal(pixels[inside - start], inside)
        assert np.abs(np.diff(pixels)).max(initial=1) == 1
