"""Doubt comes from misfit alone, and a second look takes what is doubted from elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_cvae.networks import CompactConfig
from hyperspy_cvae.phantoms import bifeo3
from hyperspy_cvae.reconstruction import CVAE, CVAEConfig
from hyperspy_cvae.reconstruction._second_look import doubt, second_look
from hyperspy_cvae.training import TrainingConfig


@pytest.fixture
def bulk() -> np.ndarray:
    brightness = np.linspace(0.5, 1.5, 40)[:, None, None]
    spectrum = 50 + 40 * np.sin(np.linspace(0, 6, 60))
    return np.broadcast_to(brightness * spectrum, (40, 40, 60)).astype(np.float32)


def test_noise_is_not_doubted(bulk: np.ndarray) -> None:
    counts = np.random.default_rng(0).poisson(bulk).astype(np.float32)
    assert not doubted(counts, bulk).any()


def test_what_does_not_fit_is_doubted(bulk: np.ndarray) -> None:
    counts = np.random.default_rng(1).poisson(bulk).astype(np.float32)
    counts[10:18, 20:28] = np.roll(counts[10:18, 20:28], 6, axis=-1)
    found = doubted(counts, bulk)
    assert found[11:17, 21:27].min() == 1
    far = np.ones((40, 40), bool)
    far[4:24, 14:34] = False
    assert not found[far].any()


def test_a_perfect_or_empty_reconstruction_is_not_doubted(bulk: np.ndarray) -> None:
    assert not doubted(bulk, bulk).any()
    assert not doubted(np.zeros_like(bulk), np.zeros_like(bulk)).any()


@pytest.mark.parametrize("dose", [1e4, 1e6])
def test_one_strong_place_among_many_counts_is_doubted(dose: float) -> None:
    """However large its misfit is beside the spread of the others."""
    random = np.random.default_rng(2)
    expected = np.full((160, 160, 24), dose, np.float32)
    counts = random.normal(expected, np.sqrt(dose)).astype(np.float32)
    counts[80:83, 80:83] *= np.linspace(0.2, 1.8, 24, dtype=np.float32)
    found = doubted(counts, expected)
    assert found[81, 81] == 1
    assert not found[:60].any()


def doubted(counts: np.ndarray, bulk: np.ndarray) -> np.ndarray:
    """Return how far the whole spectra are doubted."""
    return doubt(counts, bulk, np.ones((1, counts.shape[2]), bool))[0]


def looked_at(counts: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the reconstruction after the second look, which leaves the first as it is."""
    before, found = first.copy(), first.copy()
    mended, spectra = second_look(counts, first)
    np.testing.assert_array_equal(first, before)
    found[mended] = spectra
    return found


def two_kinds() -> tuple[np.ndarray, np.ndarray]:
    """Two kinds of bulk side by side, each with its line at 20 and its line at 70, and a wedge."""
    energy = np.arange(96)
    line = np.exp(-(((energy[:, None] - [20, 24, 68, 74]) / 2) ** 2)).T * 300
    one, other = 60 + line[0] + line[2], 60 + line[1] + line[3]
    right = np.arange(48)[:, None] >= 24
    thickness = np.linspace(0.8, 1.2, 48)[:, None, None]
    bulk = thickness * np.where(right, other, one)
    counts = np.random.default_rng(3).poisson(bulk).astype(np.float32)
    return bulk.astype(np.float32), counts


def test_what_is_doubted_is_taken_from_pixels_that_are_alike_elsewhere() -> None:
    """In a disc across the border of two kinds, the line at 70 is neither's."""
    bulk, counts = two_kinds()
    row, column = np.indices((48, 48))
    disc = np.hypot(row - 24, column - 25) < 5
    counts[disc, 60:84] = counts[disc, 60:84][:, ::-1]
    first = bulk.copy()
    first[disc, 60:84] = 0.5 * (bulk[disc, 60:84] + counts[disc, 60:84])
    found = looked_at(counts, first)
    within = (np.hypot(row - 24, column - 25) < 4) & (np.abs(column - 23.5) > 2)

    def error(spectra: np.ndarray) -> float:
        return float(np.abs(spectra - bulk)[within, 60:84].mean())

    assert error(found) < 0.2 * error(first)
    far = np.hypot(row - 24, column - 25) > 11
    np.testing.assert_array_equal(found[far], first[far])
    np.testing.assert_allclose(found.sum(-1), first.sum(-1), rtol=1e-5)


def test_what_fits_is_returned_as_it_is() -> None:
    bulk, counts = two_kinds()
    assert not second_look(counts, bulk)[0].any()


def test_without_other_energies_or_pixels_the_first_look_stays() -> None:
    bulk, counts = two_kinds()
    counts[20:26, 20:26] = counts[20:26, 20:26, ::-1].copy() * 3
    np.testing.assert_array_equal(looked_at(counts, bulk), bulk)
    assert doubted(counts, bulk).any()
    few, first = counts[:6, :6].copy(), bulk[:6, :6].copy()
    few[0, 0, 60:84] *= 9
    assert doubted(few[..., 48:], first[..., 48:]).any()
    np.testing.assert_array_equal(looked_at(few, first), first)


def test_a_reconstruction_takes_the_second_look_if_asked_to() -> None:
    cube = bifeo3((32, 32), channels=160, offset=500, dispersion=1.6, seed=2).signal.data
    model = CVAE(
        CVAEConfig(training=TrainingConfig(epochs=3), network=CompactConfig(latent=6)), "cpu"
    ).fit(cube)
    foreign = cube.copy()
    foreign[12:19, 12:19, 120:150] = foreign[12:19, 12:19, 120:150][..., ::-1] * 3
    found = model.reconstruct(foreign)
    model.config = replace(model.config, second_look=False)
    first = model.reconstruct(foreign)
    changed = np.abs(found - first).max(-1) > 0
    assert changed[13:18, 13:18].all()
    assert not changed[:6].any()
    assert not changed[-6:].any()
    np.testing.assert_allclose(found.sum(-1), first.sum(-1), rtol=1e-3)


def test_the_same_foreign_thing_elsewhere_is_no_witness() -> None:
    bulk, counts = two_kinds()
    row, column = np.indices((48, 48))
    first = bulk.copy()
    discs = np.zeros((48, 48), bool)
    for centre in (10, 36):
        discs |= np.hypot(row - centre, column - 10) < 6
    counts[discs, 60:84] = counts[discs, 60:84][:, ::-1]
    # What the discs have in common, and the bulk has not, is not doubted.
    counts[discs, 30:40] *= 1.05
    first[discs, 30:40] *= 1.05
    found = looked_at(counts, first)
    change = found[discs, 60:84] - bulk[discs, 60:84]
    foreign = counts[discs, 60:84] - bulk[discs, 60:84]
    assert abs((change * foreign).sum() / np.square(foreign).sum()) < 0.1


def test_vacuum_is_neither_doubted_nor_a_measure_of_noise(bulk: np.ndarray) -> None:
    random = np.random.default_rng(5)
    bulk = bulk.copy()
    bulk[14:] *= 0.001
    counts = random.poisson(bulk) + random.normal(0, 0.3, bulk.shape)
    counts[3:9, 20:28] = np.roll(counts[3:9, 20:28], 6, axis=-1)
    found = doubted(counts.astype(np.float32), bulk)
    assert found[4:8, 21:27].min() == 1
    assert not found[14:].any()


def test_spectra_about_zero_keep_their_sums() -> None:
    """As after a background is subtracted: below the edge the counts scatter about zero."""
    bulk, _ = two_kinds()
    bulk[..., :48] = 0.3
    counts = bulk + np.random.default_rng(6).normal(0, 8, bulk.shape).astype(np.float32)
    counts[10:20, 10:20, 48:] = counts[10:20, 10:20, :47:-1].copy()
    counts[15, 15] = -counts[15, 15]
    first = bulk.copy()
    first[15, 15] *= -1
    found = looked_at(counts, first)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(-1), first.sum(-1), rtol=1e-4)


def test_what_is_alike_nowhere_is_left_as_it_was() -> None:
    """A third kind, whose line at 20 is its own as well, has no neighbours to tell of it."""
    bulk, counts = two_kinds()
    random = np.random.default_rng(7)
    bulk[30:38, 6:14, 10:36] = bulk[30:38, 6:14, 35:9:-1].copy()
    bulk[30:38, 6:14, 60:84] = bulk[30:38, 6:14, 83:59:-1].copy()
    counts[30:38, 6:14] = random.poisson(bulk[30:38, 6:14])
    first = bulk.copy()
    first[30:38, 6:14, 60:84] = 0.5 * (first + first[..., ::-1])[30:38, 6:14, 12:36]
    assert doubted(counts[..., 60:84], first[..., 60:84])[32:36, 8:12].min() == 1
    found = looked_at(counts, first)
    np.testing.assert_array_equal(found[32:36, 8:12], first[32:36, 8:12])


def test_energies_without_counts_tell_nothing() -> None:
    bulk, counts = two_kinds()
    bulk[..., :48] = counts[..., :48] = 0
    counts[20:26, 20:26, 48:] = counts[20:26, 20:26, :47:-1].copy()
    assert doubted(counts[..., 60:84], bulk[..., 60:84]).any()
    assert np.isfinite(looked_at(counts, bulk)).all()


def test_a_scan_without_noise_elsewhere_is_no_obstacle() -> None:
    spectrum = two_kinds()[0][:1, :1]
    row, column = np.indices((48, 48))
    counts = np.broadcast_to(spectrum, (48, 48, 96)).copy()
    counts[..., 60:84] *= 1 + 0.01 * np.sin(37 * row + 91 * column)[..., np.newaxis]
    counts[20:26, 20:26, 60:84] = counts[20:26, 20:26, 83:59:-1].copy()
    found = looked_at(counts, np.broadcast_to(spectrum, (48, 48, 96)).copy())
    assert np.isfinite(found).all()
