"""Bands cover the energy axis."""

import numpy as np
import pytest

from hyperspy_cvae.shards import energy_bands


@pytest.mark.parametrize("channels", [1, 7, 8, 9, 100, 1312])
def test_every_channel_lies_in_the_middle_of_a_band_or_between_two(channels: int) -> None:
    bands = energy_bands(channels)
    assert np.all((bands >= 0) & (bands <= 1))
    assert np.all(bands.sum(0) >= 1 - 1e-6)
    assert np.all(bands.sum(1) > 0)
