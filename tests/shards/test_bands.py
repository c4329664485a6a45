"""Bands cover the energy axis."""

import numpy as np
import pytest

from hyperspy_cvae.shards import binned, channels_of, energy_bands


@pytest.mark.parametrize("channels", [1, 7, 8, 9, 100, 1312])
def test_every_channel_lies_in_the_middle_of_a_band_or_between_two(channels: int) -> None:
    bands = energy_bands(channels)
    assert np.all((bands >= 0) & (bands <= 1))
    assert np.all(bands.sum(0) >= 1 - 1e-6)
    assert np.all(bands.sum(1) > 0)


def test_channels_are_summed_up_and_those_left_over_are_not() -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 12)[:, ::-1]
    np.testing.assert_array_equal(binned(values, 5), [[45, 20], [105, 80]])
    whole = binned(values, 1)
    np.testing.assert_array_equal(whole, values)
    assert not np.shares_memory(whole, values)


@pytest.mark.parametrize("gap", [True, False])
def test_channels_of_a_cube(gap: bool) -> None:
    cube = np.random.default_rng(0).normal(size=(2, 3, 9)).astype(np.float32)
    channels = np.zeros(9, bool)
    channels[2:7] = True
    channels[4] = not gap
    np.testing.assert_array_equal(channels_of(cube, channels), cube[..., channels])
    assert np.shares_memory(channels_of(cube, channels), cube) != gap
