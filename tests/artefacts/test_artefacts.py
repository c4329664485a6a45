"""Artefacts are told from the counts alone, by their kinds, and specimens have none."""

import numpy as np
import pytest

from hyperspy_cvae.artefacts import (
    BRIGHTNESS,
    CONSTANT_CHANNEL,
    DEAD,
    HIT,
    NOISY,
    NOISY_CHANNEL,
    ROW,
    SATURATED,
    Artefacts,
    find_artefacts,
)
from hyperspy_cvae.phantoms import PeakShift, bifeo3

ENERGY = np.arange(400.0)
SPECTRUM = 40 + 200 * np.exp(-ENERGY / 50) + 120 * (ENERGY > 60) * np.exp(-(ENERGY - 60) / 40)


def scan(rows: int = 20, columns: int = 24, seed: int = 0) -> np.ndarray:
    """Counts of a wedge with two kinds of bulk, whose edge is higher in one."""
    random = np.random.default_rng(seed)
    thickness = np.linspace(0.6, 1.4, columns)[:, np.newaxis]
    higher = 1 + 0.3 * (np.arange(rows) > rows // 2)[:, np.newaxis, np.newaxis] * (ENERGY > 60)
    return random.poisson(thickness * higher * SPECTRUM).astype(np.float32)


def found_in(counts: np.ndarray) -> Artefacts:
    before = counts.copy()
    shape = counts.shape
    found, _ = find_artefacts(counts, np.ones(shape[:2], bool), np.ones(shape[2], bool))
    assert np.array_equal(counts, before)
    return found


def kinds(found: Artefacts) -> dict[str, list[list[int]]]:
    """Return the places of each kind of pixels that there is."""
    return {
        kind: np.argwhere(pixels).tolist() for kind, pixels in found.pixels.items() if pixels.any()
    }


@pytest.mark.parametrize("shape", [(5, 5), (1, 60), (24, 30), (60, 60)])
def test_a_scan_without_has_none(shape: tuple[int, int]) -> None:
    found = found_in(scan(*shape))
    assert not found.mask.any()
    assert not any(map(len, found.channels.values()))


def test_a_crystal_with_an_anomaly_has_none() -> None:
    phantom = bifeo3((40, 40), 300, offset=690.0, anomaly=PeakShift(radius=2))
    found = found_in(phantom.signal.data)
    assert not found.mask.any()
    assert not any(map(len, found.channels.values()))


@pytest.mark.parametrize("shape", [(5, 5), (1, 60), (24, 30)])
def test_a_pixel_without_counts_is_dead(shape: tuple[int, int]) -> None:
    counts = scan(*shape)
    place = [shape[0] // 2, 3]
    counts[tuple(place)] = 0
    found = found_in(counts)
    assert kinds(found) == {DEAD: [place]}
    assert found.unusable.sum() == 1


def test_the_rest_of_a_row_may_be_dead_and_a_hole_is_not() -> None:
    counts = scan()
    counts[7, 9:] = 0
    assert found_in(counts).pixels[DEAD].sum() == counts.shape[1] - 9
    counts = scan()
    counts[3:9, 4:11] = 0
    assert not found_in(counts).mask.any()


def test_noise_that_counts_do_not_have() -> None:
    counts = scan()
    counts[4, 5] *= 3  # the gain, and so the deviation of the noise
    assert kinds(found_in(counts))[NOISY] == [[4, 5]]
    counts[4, 5] = np.random.default_rng(1).permutation(counts[4, 5])  # another spectrum as well
    assert not found_in(counts).pixels[NOISY].any()
    counts = scan()
    counts[6] *= 2.5
    found = found_in(counts)
    assert found.pixels[NOISY][6].all()
    assert found.pixels[NOISY].sum() == counts.shape[1]
    assert found.unusable[6].all()


def test_read_noise_of_dim_pixels_is_no_artefact() -> None:
    random = np.random.default_rng(2)
    bright = np.geomspace(0.02, 1, 30)[:, np.newaxis] * SPECTRUM
    counts = random.poisson(np.broadcast_to(bright, (20, 30, 400))) + random.normal(
        0, 4, (20, 30, 400)
    )
    assert not found_in(counts.astype(np.float32)).pixels[NOISY].any()


def test_a_clipped_peak_is_saturated() -> None:
    counts = scan()
    counts[11, 4] = np.minimum(counts[11, 4] * 3, 520)
    counts = np.minimum(counts, 520)
    assert (
        found_in(counts).pixels[SATURATED].tolist()
        == (np.arange(20)[:, np.newaxis] * 24 + np.arange(24) == 11 * 24 + 4).tolist()
    )


def test_brightness_alone() -> None:
    random = np.random.default_rng(0)
    counts = scan()
    dimmer = random.binomial(counts.astype(int), 0.5).astype(np.float32)
    dimmer[9] = counts[9]
    dimmer[15, 6] = counts[15, 6]
    found = found_in(dimmer)
    assert found.pixels[ROW].any(1).tolist() == (np.arange(20) == 9).tolist()
    assert found.factor[9, 0] == pytest.approx(2, rel=0.1)
    assert kinds(found)[BRIGHTNESS] == [[15, 6]]
    assert found.factor[15, 6] == pytest.approx(2, rel=0.1)
    assert not found.unusable.any()


def test_a_step_and_another_spectrum_are_no_jumps() -> None:
    random = np.random.default_rng(0)
    counts = scan()
    counts[12:] = random.binomial(counts[12:].astype(int), 0.5)
    assert not found_in(counts).mask.any()
    counts = scan()
    counts[5] += random.poisson(3 * SPECTRUM[::-1], counts[5].shape)
    assert not found_in(counts).pixels[ROW].any()


def test_channels_that_flicker_or_are_stuck() -> None:
    counts = scan()
    counts[..., 50] = np.random.default_rng(0).exponential(1000, counts.shape[:2])
    counts[..., 90] = 777
    counts[..., 140] = 0
    found = found_in(counts)
    assert found.channels[NOISY_CHANNEL].tolist() == [50]
    assert found.channels[CONSTANT_CHANNEL].tolist() == [90, 140]
    assert found.unsteady.tolist() == [50]
    assert not found.mask.any()


def test_a_narrow_line_of_some_pixels_is_no_noisy_channel() -> None:
    counts = scan()
    line = 400 * np.exp(-np.square((ENERGY - 120) / 1.5) / 2)
    counts[:, :8] += np.random.default_rng(0).poisson(line, (20, 8, 400))
    found = found_in(counts)
    assert not len(found.channels[NOISY_CHANNEL])
    assert not found.pixels[HIT].any()


def test_kinds_beside_each_other() -> None:
    counts = scan()
    counts[2, 3, 150] += 900
    counts[8, 9] = 0
    counts[13, 20] *= 3
    found = found_in(counts)
    assert kinds(found) == {
        HIT: [[2, 3]],
        DEAD: [[8, 9]],
        NOISY: [[13, 20]],
    }
