"""Smoothing is scipy's, and noise after it is told right, also at the borders."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hyperspy_cvae.smoothing import noise_gain, smoothed


@pytest.mark.parametrize("shape", [(16, 13, 9), (1, 40, 70), (70, 1, 1)])
@pytest.mark.parametrize(("radius", "width"), [(1.5, 0.0), (2.5, 3.0), (0.0, 1.0)])
def test_a_cube_is_smoothed_as_by_scipy(
    shape: tuple[int, int, int],
    radius: float,
    width: float,
) -> None:
    cube = np.random.default_rng(0).poisson(20, shape).astype(np.float32)
    before = cube.copy()
    expected = gaussian_filter(cube.astype(float), (radius, radius, width))
    np.testing.assert_allclose(smoothed(cube, radius, width), expected, rtol=3e-6)
    np.testing.assert_array_equal(cube, before)


@pytest.mark.parametrize("shape", [(16, 13), (3, 40), (1, 12), (1, 1)])
@pytest.mark.parametrize("radius", [1.0, 1.5])
def test_the_gain_is_what_smoothing_does_to_noise(shape: tuple[int, int], radius: float) -> None:
    noise = np.random.default_rng(0).normal(size=(20_000, *shape))
    deviation = gaussian_filter(noise, (0, radius, radius)).std(0)
    far_inside = 1 / (2 * np.sqrt(np.pi) * radius)
    np.testing.assert_allclose(noise_gain(shape, radius), deviation / far_inside, rtol=0.04)


def test_far_from_the_borders_it_is_one() -> None:
    gain = noise_gain((300, 200), 1.0)
    np.testing.assert_allclose(gain[10:-10, 10:-10], 1, rtol=1e-3)
    assert gain.shape == (300, 200)
    np.testing.assert_array_equal(gain, gain[::-1, ::-1])
