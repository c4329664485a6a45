"""Where discs are placed, in maps, lines and scans with gaps."""

import numpy as np
import pytest
from scipy.ndimage import label

from hyperspy_cvae.evaluation import bright_pixels, fitting_radius, near, place_discs, placements


def test_discs_do_not_touch_and_lie_where_they_may() -> None:
    allowed = np.ones((40, 50), bool)
    allowed[:, 20:24] = False
    discs = place_discs(allowed, count=12, radius=2.5, seed=3)
    assert label(discs > 0, np.ones((3, 3)))[1] == discs.max() == 12
    assert not (discs > 0)[~allowed].any()
    sizes = np.bincount(discs.ravel())[1:]
    assert sizes.min() >= 0.75 * 21  # pixels of a whole one
    assert sizes.max() == 21
    assert np.array_equal(discs, place_discs(allowed, 12, 2.5, 3))
    assert not np.array_equal(discs, place_discs(allowed, 12, 2.5, 4))


@pytest.mark.parametrize("shape", [(1, 60), (60, 1)])
def test_in_a_line_they_are_stretches(shape: tuple[int, int]) -> None:
    discs = place_discs(np.ones(shape, bool), count=3, radius=3)
    assert set(np.bincount(discs.ravel())[1:]) <= {6, 7}


def test_a_scan_narrower_than_a_disc() -> None:
    discs = place_discs(np.ones((2, 40), bool), count=2, radius=3)
    assert np.bincount(discs.ravel())[1:].max() == 12  # 7 and 5


def test_no_room() -> None:
    with pytest.raises(ValueError, match="9 discs with a radius of 3 pixels have no room on the"):
        place_discs(np.ones((12, 12), bool), count=9, radius=3)


@pytest.mark.parametrize("fraction", [0.002, 0.01, 0.05])
def test_fractions_are_kept_and_discs_are_at_least_five(fraction: float) -> None:
    allowed = np.ones((64, 64), bool)
    pixels = fraction * allowed.size
    radius = fitting_radius(allowed.shape, pixels, 3.0)
    placed = placements(allowed, pixels, radius)
    assert radius <= 3
    assert sum(int(each.max()) for each in placed) >= 5
    injected = np.mean([np.count_nonzero(each) for each in placed])
    assert injected == pytest.approx(pixels, rel=0.4)


def test_dark_and_unjudged_pixels_are_left_out() -> None:
    cube = np.full((20, 30, 8), 10, np.float32)
    cube[:, :5] = 1
    judged = np.ones((20, 30), bool)
    judged[0] = False
    bright = bright_pixels(cube, np.ones(8, bool), judged)
    assert not bright[:, :5].any()
    assert not bright[0].any()
    assert bright[1:, 5:].all()
    with pytest.raises(ValueError, match="No pixel is left to inject into"):
        bright_pixels(cube, np.ones(8, bool), np.zeros((20, 30), bool))


def test_near_is_within_three_pixels() -> None:
    known = np.zeros((20, 30), bool)
    known[10, 15] = True
    assert near(known)[10, 12:19].all()
    assert near(known)[7:14, 15].all()
    assert not near(known)[10, [11, 19]].any()
