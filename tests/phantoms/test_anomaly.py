import numpy as np
import pytest

from hyperspy_cvae.phantoms import FE_L_WINDOW, PeakShift, discs, inject, roll_edge

ENERGY = 420 + 0.3 * np.arange(1312)
WINDOW = slice(972, 1013)


def test_discs_are_apart_and_inside() -> None:
    from scipy.ndimage import label

    mask = discs((64, 50), n=5, radius=4, seed=3)
    labels, count = label(mask, structure=np.ones((3, 3)))
    assert count == 5
    assert np.unique(np.bincount(labels.ravel())[1:]).size == 1
    assert np.array_equal(mask, discs((64, 50), n=5, radius=4, seed=3))
    assert not np.array_equal(mask, discs((64, 50), n=5, radius=4, seed=4))


@pytest.mark.parametrize(("shape", "n", "radius"), [((10, 10), 4, 3), ((5, 40), 1, 3)])
def test_discs_without_room(shape: tuple[int, int], n: int, radius: float) -> None:
    with pytest.raises(ValueError, match="have no room in a scan of"):
        discs(shape, n, radius)


def test_negative_discs() -> None:
    with pytest.raises(ValueError, match="n is -1"):
        discs((10, 10), -1, 2)


@pytest.mark.parametrize("shift", [0.9, 2.4, 11.4, -0.9])
def test_roll_is_a_roll_of_41_channels(shift: float) -> None:
    counts = np.random.default_rng(0).normal(size=(3, 1312))
    rolled = roll_edge(counts, shift, ENERGY)
    expected = counts.copy()
    expected[:, WINDOW] = np.roll(counts[:, WINDOW], round(shift / 0.3), axis=-1)
    assert np.array_equal(rolled, expected)
    assert np.allclose(rolled[:, WINDOW].sum(1), counts[:, WINDOW].sum(1))


def test_roll_by_the_window_changes_nothing() -> None:
    counts = np.random.default_rng(0).normal(size=(2, 1312))
    assert np.array_equal(roll_edge(counts, 12.3, ENERGY), counts)


def test_inject_leaves_the_rest_and_its_input_alone() -> None:
    counts = np.random.default_rng(0).poisson(9, (4, 5, 1312)).astype(np.float32)
    before = counts.copy()
    mask = np.zeros((4, 5), bool)
    mask[1, 2] = True
    for mode in ("shift", "roll"):
        injected = inject(counts, mask, 2.4, ENERGY, mode=mode)
        assert injected.dtype == np.float32
        assert np.array_equal(injected[~mask], counts[~mask])
        assert not np.array_equal(injected[mask], counts[mask])
    assert np.array_equal(counts, before)


def test_inject_moves_a_peak_by_a_fraction_of_a_channel() -> None:
    peak = np.exp(-(((ENERGY - 716) / 1.2) ** 2)) + 3
    moved = inject(peak[None, None], np.array([[True]]), 0.77, ENERGY)[0, 0]
    above = np.stack([peak, moved])[:, WINDOW] - 3
    centroids = (above * ENERGY[WINDOW]).sum(1) / above.sum(1)
    assert centroids[1] - centroids[0] == pytest.approx(0.77, abs=0.01)


def test_inject_says_what_does_not_fit() -> None:
    counts = np.zeros((2, 3, 1312))
    mask = np.zeros((2, 3), bool)
    with pytest.raises(ValueError, match="mode is 'jump'; it must be 'shift' or 'roll'"):
        inject(counts, mask, 1.0, ENERGY, mode="jump")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="navigation shape of counts"):
        inject(counts, mask.T, 1.0, ENERGY)
    with pytest.raises(ValueError, match=r"energy has the shape \(12,\)"):
        inject(counts, mask, 1.0, ENERGY[:12])
    with pytest.raises(ValueError, match=r"window \(200, 300\) eV must rise and lie inside"):
        inject(counts, mask, 1.0, ENERGY, window=(200, 300))


def test_unknown_mode() -> None:
    with pytest.raises(ValueError, match="mode is 'jump'"):
        PeakShift(mode="jump")  # type: ignore[arg-type]


def test_window_is_the_papers() -> None:
    inside = (ENERGY >= FE_L_WINDOW[0]) & (ENERGY < FE_L_WINDOW[1])
    assert inside.sum() == 41
