"""From counts to what a network sees."""

import numpy as np
import pytest

from hyperspy_cvae.preprocessing import PAPER_PREPROCESSING, Preprocessing, prepare


@pytest.fixture
def counts() -> np.ndarray:
    return np.random.default_rng(0).poisson(30, (5, 6, 40)).astype(float)


@pytest.mark.parametrize("dtype", ["<u2", ">u2", ">f4", "<i4", "f8", "u1"])
def test_any_type_and_byte_order(counts: np.ndarray, dtype: str) -> None:
    data = counts.astype(dtype)
    cube = prepare(data).cube
    assert cube.dtype == np.dtype("=f4")
    assert np.array_equal(cube, counts.astype(np.float32))


def test_nothing_is_copied_that_need_not_be(counts: np.ndarray) -> None:
    data = counts.astype(np.float32)
    assert np.shares_memory(prepare(data).cube, data)
    backwards = prepare(data[::-1, :, ::-1]).cube
    data.flags.writeable = False
    for cube, expected in ((backwards, data[::-1, :, ::-1]), (prepare(data).cube, data)):
        np.testing.assert_array_equal(cube, expected)
        assert cube.flags.writeable
        assert cube.flags.c_contiguous


def test_negative_counts_stay(counts: np.ndarray) -> None:
    assert np.array_equal(prepare(counts - 30).cube, (counts - 30).astype(np.float32))


def test_gaps_are_filled_and_the_data_left_alone(counts: np.ndarray) -> None:
    counts[1, 2, 7] = np.nan
    counts[3, 3, :3] = np.inf
    counts[4, 4] = np.nan
    counts[..., 20] = np.nan
    before = counts.copy()
    cube, judged, alive = prepare(counts)
    assert np.array_equal(counts, before, equal_nan=True)
    assert np.isfinite(cube).all()
    assert cube[1, 2, 7] == pytest.approx((counts[1, 2, 6] + counts[1, 2, 8]) / 2)
    assert np.all(cube[3, 3, :3] == counts[3, 3, 3])
    assert np.argwhere(~judged).tolist() == [[4, 4]]
    assert np.flatnonzero(~alive).tolist() == [20]


def test_nothing_to_learn(counts: np.ndarray) -> None:
    with pytest.raises(ValueError, match="0 spectra and 0 channels that hold numbers"):
        prepare(np.full((3, 3, 20), np.nan))
    with pytest.raises(ValueError, match="data is 7 everywhere"):
        prepare(np.full((3, 3, 20), 7))
    gap = np.full((3, 3, 20), 7.0)
    gap[0, 0, 3] = np.nan
    with pytest.raises(ValueError, match="data is 7 everywhere"):
        prepare(gap)
    with pytest.raises(ValueError, match="5 channels"):
        prepare(counts[..., :5])


def test_scaling_can_be_undone(counts: np.ndarray) -> None:
    cube = counts.astype(np.float32)
    intensities, (offset, scale) = Preprocessing(percentiles=(0, 100)).apply(cube)
    assert intensities.min() == 0
    assert intensities.max() == 1
    np.testing.assert_allclose(intensities * scale + offset, cube, atol=1e-4)


def test_default_changes_nothing(counts: np.ndarray) -> None:
    cube = counts.astype(np.float32)
    intensities, recorded = Preprocessing().apply(cube)
    assert intensities is cube
    assert recorded == (0, 1)


def test_the_papers_steps(counts: np.ndarray) -> None:
    from scipy.ndimage import gaussian_filter, uniform_filter

    cube = counts.astype(np.float32)
    intensities, _ = PAPER_PREPROCESSING.apply(cube)
    smooth = gaussian_filter(cube, 0.5, mode="nearest")
    low, high = np.percentile(smooth, (1, 99))
    expected = uniform_filter(
        np.clip((smooth - low) / (high - low), 0, 1), (3, 3, 1), mode="nearest"
    )
    np.testing.assert_allclose(intensities, expected, atol=1e-5)
