"""The Pearson correlation against NumPy's and SciPy's, and where spectra are not ordinary."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from hyperspy_cvae.detection import _pearson, pearson_correlation


@pytest.fixture
def cubes() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    expected = 20 + 10 * rng.random((5, 4, 40))
    return rng.poisson(expected).astype(float), expected


def test_numpy_and_scipy_agree(cubes: tuple[np.ndarray, np.ndarray]) -> None:
    measured, reconstructed = cubes
    score = pearson_correlation(measured, reconstructed)
    assert score.shape == (5, 4)
    assert score.dtype == np.float64
    for pixel in np.ndindex(5, 4):
        pair = measured[pixel], reconstructed[pixel]
        assert score[pixel] == pytest.approx(np.corrcoef(*pair)[0, 1], abs=1e-14)
        assert score[pixel] == pytest.approx(pearsonr(*pair).statistic, abs=1e-14)


def test_any_number_of_dimensions(cubes: tuple[np.ndarray, np.ndarray]) -> None:
    measured, reconstructed = cubes
    score = pearson_correlation(measured, reconstructed)
    np.testing.assert_array_equal(pearson_correlation(measured[1], reconstructed[1]), score[1])
    single = pearson_correlation(measured[1, 2], reconstructed[1, 2])
    assert single.shape == ()
    assert single == score[1, 2]
    assert pearson_correlation(measured[:0], reconstructed[:0]).shape == (0, 4)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint64", "float16", "float32", ">f4", ">i2"])
def test_any_dtype(cubes: tuple[np.ndarray, np.ndarray], dtype: str) -> None:
    measured, reconstructed = cubes
    score = pearson_correlation(measured.astype(dtype), reconstructed)
    np.testing.assert_array_equal(score, pearson_correlation(measured, reconstructed))


@pytest.mark.parametrize(("scale", "offset"), [(1e-200, 0), (1e200, 0), (3, -7), (0.1, 1e6)])
def test_scale_and_offset_do_not_matter(
    cubes: tuple[np.ndarray, np.ndarray], scale: float, offset: float
) -> None:
    measured, reconstructed = cubes
    score = pearson_correlation(measured, reconstructed)
    other = pearson_correlation(scale * measured + offset, reconstructed)
    np.testing.assert_allclose(other, score, atol=1e-9)
    np.testing.assert_allclose(pearson_correlation(-measured, reconstructed), -score, atol=1e-14)


def test_large_offset_costs_no_digits(cubes: tuple[np.ndarray, np.ndarray]) -> None:
    measured, reconstructed = cubes  # counts, which a float64 holds exactly up to 2**53
    np.testing.assert_allclose(
        pearson_correlation(measured + 2.0**50, reconstructed),
        pearson_correlation(measured, reconstructed),
        atol=1e-13,
    )


def test_float32_is_accumulated_in_float64() -> None:
    rng = np.random.default_rng(12)
    measured = (1e6 + rng.normal(size=(2, 2, 3000))).astype("float32")
    reconstructed = (1e6 + rng.normal(size=(2, 2, 3000))).astype("float32")
    expected = np.corrcoef(measured[0, 0].astype(float), reconstructed[0, 0].astype(float))[0, 1]
    score = pearson_correlation(measured, reconstructed)
    assert score[0, 0] == pytest.approx(expected, abs=1e-12)


def test_stays_between_minus_one_and_one() -> None:
    spectra = np.random.default_rng(13).random((50, 50, 7))
    for sign in (1, -1):
        score = pearson_correlation(spectra, sign * 1.7 * spectra + 3)
        assert np.abs(score).max() <= 1
        np.testing.assert_allclose(score, sign)


def test_nan_where_undefined(cubes: tuple[np.ndarray, np.ndarray]) -> None:
    measured, reconstructed = (cube.copy() for cube in cubes)
    complete = pearson_correlation(measured, reconstructed)
    measured[0, 0] = 0.1  # 0.1 is no sum of powers of two: its mean is rounded
    reconstructed[0, 1] = 1 / 3
    measured[1, 0, 5] = np.nan
    measured[1, 1, 0] = np.inf
    reconstructed[2, 0, -1] = np.nan
    reconstructed[2, 1, 3] = -np.inf
    score = pearson_correlation(measured, reconstructed)
    undefined = np.zeros((5, 4), bool)
    undefined[:3, :2] = True
    np.testing.assert_array_equal(np.isnan(score), undefined)
    np.testing.assert_array_equal(score[~undefined], complete[~undefined])


def test_dead_channels_are_left_out(cubes: tuple[np.ndarray, np.ndarray]) -> None:
    measured, reconstructed = (cube.copy() for cube in cubes)
    dead = [0, 7, 39]
    expected = pearson_correlation(
        np.delete(measured, dead, -1), np.delete(reconstructed, dead, -1)
    )
    measured[..., dead] = np.nan
    reconstructed[..., 7] = np.nan
    np.testing.assert_array_equal(pearson_correlation(measured, reconstructed), expected)
    reconstructed[0, 0, 8] = np.nan
    assert np.isnan(pearson_correlation(measured, reconstructed)[0, 0])


def test_blocks_give_the_same(
    cubes: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, reconstructed = cubes
    measured[..., 3] = np.nan
    measured[:3, :, 4] = np.nan
    whole = pearson_correlation(measured, reconstructed)
    for rows in (0, 1, 2, 3):
        monkeypatch.setattr(_pearson, "_BLOCK_BYTES", rows * 8 * 4 * 40)
        np.testing.assert_array_equal(pearson_correlation(measured, reconstructed), whole)


def test_input_is_left_alone(cubes: tuple[np.ndarray, np.ndarray]) -> None:
    measured, reconstructed = cubes
    copies = measured.copy(), reconstructed.copy()
    pearson_correlation(measured, reconstructed)
    np.testing.assert_array_equal(measured, copies[0])
    np.testing.assert_array_equal(reconstructed, copies[1])


def test_errors_say_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"\(2, 5\), but measured has \(2, 4\)"):
        pearson_correlation(np.zeros((2, 4)), np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"2 channels along its last axis.*widen"):
        pearson_correlation(np.zeros((4, 4, 2)), np.zeros((4, 4, 2)))
    with pytest.raises(ValueError, match="0 channels"):
        pearson_correlation(np.float64(1), np.float64(1))
    measured = np.zeros((4, 4, 5))
    measured[..., 1:4] = np.nan
    with pytest.raises(ValueError, match="2 channels that are not NaN in every spectrum"):
        pearson_correlation(measured, measured)
