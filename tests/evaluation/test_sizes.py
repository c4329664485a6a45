"""Sizes as they are injected."""

import numpy as np
import pytest

from hyperspy_cvae.evaluation import relative_sizes, shift_sizes


@pytest.mark.parametrize(
    ("channels", "dispersion"), [(200, 0.3), (1024, 0.05), (60, 1.0), (200, 0.005), (8, 0.5)]
)
def test_shifts_by_default_are_whole_channels_within_the_range(
    channels: int, dispersion: float
) -> None:
    sizes = shift_sizes(None, np.ones(channels, bool), dispersion)
    steps = sizes / dispersion
    np.testing.assert_allclose(steps, np.rint(steps))
    assert (np.diff(steps) > 0).all()
    assert steps[0] >= 1
    assert steps[-1] < channels / 2
    assert sizes[-1] <= 5


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((-1.0,), r"shifts is \(-1.0,\): give a sequence"),
        ((), "give a sequence"),
        ((np.nan, 1), "give a sequence"),
        (1.0, "give a sequence"),
        ((0.2, 1.0), "shifts holds 0.2 eV, but shifts are whole channels of 0.5 eV"),
        ((1.0, 30.0), "shifts holds 30 eV, but the signal range is 20 eV wide"),
    ],
)
def test_sizes_that_cannot_be(sizes: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        shift_sizes(sizes, np.ones(40, bool), 0.5, "shifts")


def test_heights() -> None:
    np.testing.assert_array_equal(relative_sizes((0.5, 0, 0.1, 0.5), "peak"), [0, 0.1, 0.5])
    assert relative_sizes(None, "edge")[0] < relative_sizes(None, "peak")[0]
    with pytest.raises(ValueError, match="sizes is"):
        relative_sizes((-0.1,), "edge")
