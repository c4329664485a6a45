"""Rare bulk is told from anomalies by the rest of its spectrum."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperspy_cvae.detection import without_rare_bulk
from hyperspy_cvae.detection._rare_bulk import distance

ENERGIES = np.arange(120)
EVERYWHERE = np.ones((60, 60), bool)


def line(maximum: NDArray[np.floating]) -> NDArray[np.floating]:
    return 120 * np.exp(-(((ENERGIES - maximum[..., np.newaxis]) / 3) ** 2))


def bulk() -> NDArray[np.floating]:
    """Strain moves both lines together, from left to right."""
    strain = np.broadcast_to(np.linspace(0, 3, 60), (60, 60))
    return 60 + line(25 + strain) + line(90 + strain)


def disc(row: int, column: int, radius: float = 4) -> NDArray[np.bool_]:
    return np.hypot(*(np.indices((60, 60)) - np.array([row, column])[:, None, None])) <= radius


def counts(spectra: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.random.default_rng(4).poisson(spectra).astype(np.float32)


RARE, FOREIGN = disc(20, 40, 8), disc(40, 20)


@pytest.fixture
def measured() -> NDArray[np.float32]:
    """In one disc the second line lies elsewhere, in the other both do as in bulk farther left."""
    spectra = bulk()
    spectra[FOREIGN] = bulk()[40, 20] + line(np.array(96.0)) - line(np.array(91.02))
    spectra[RARE] = bulk()[20, 30]
    return counts(spectra)


@pytest.fixture
def expected() -> NDArray[np.float32]:
    """What a network returns that knows neither."""
    return bulk().astype(np.float32)


SECOND_LINE = ENERGIES >= 70


def left(
    mask: NDArray[np.bool_],
    measured: NDArray[np.float32],
    expected: NDArray[np.float32],
    channels: NDArray[np.bool_] = SECOND_LINE,
    judged: NDArray[np.bool_] = EVERYWHERE,
) -> NDArray[np.bool_]:
    return without_rare_bulk(mask, measured, expected[..., channels], channels, judged)


def test_bulk_out_of_place_is_left_out(
    measured: NDArray[np.float32], expected: NDArray[np.float32]
) -> None:
    np.testing.assert_array_equal(left(RARE | FOREIGN, measured, expected), FOREIGN)
    assert not left(RARE, measured, expected).any()


def test_anomalies_stay(measured: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(left(FOREIGN, measured, expected), FOREIGN)
    assert not left(np.zeros((60, 60), bool), measured, expected).any()


def test_a_foreign_phase_at_several_places_does_not_explain_itself() -> None:
    """All its energies differ: one particle is told by the other, but not by the bulk."""
    particles = disc(15, 15) | disc(45, 45)
    spectra = bulk()
    spectra[particles] = 60 + line(np.array(45.0)) + line(np.array(75.0))
    mask = left(particles, counts(spectra), bulk().astype(np.float32))
    np.testing.assert_array_equal(mask, particles)


@pytest.mark.parametrize(
    "channels", [np.ones(120, bool), SECOND_LINE], ids=["all compared", "one edge compared"]
)
def test_without_other_energies_or_enough_bulk_nothing_is_explained(
    measured: NDArray[np.float32],
    expected: NDArray[np.float32],
    channels: NDArray[np.bool_],
) -> None:
    few = disc(20, 40, 7)
    mask = left(RARE, measured, expected, channels, few)
    np.testing.assert_array_equal(mask, RARE)
    one = slice(90, 91)
    mask = left(RARE, measured[..., one], expected[..., one], np.ones(1, bool))
    np.testing.assert_array_equal(mask, RARE)


def test_what_lies_between_two_expectations_is_no_distance_away() -> None:
    near = 60 + line(np.array(90.0))
    far = 60 + line(np.array(93.0))
    everything, second = np.ones(120, bool), SECOND_LINE
    for share in (0.0, 0.3, 1.0):
        between = (1 - share) * near + share * far
        assert distance(between, near, far, everything) < 1e-6
    # Beyond either end it grows with the distance from that end.
    for end, step in ((far, far - near), (near, near - far)):
        once, twice = (distance(end + k * step, near, far, second) for k in (1, 2))
        assert once > 0.05
        assert twice == pytest.approx(2 * once, rel=0.01)


def test_of_the_last_channels_alone_nothing_is_told() -> None:
    """They are left over where channels are summed up."""
    rows, channels = 20, 1709
    measured = np.random.default_rng(0).poisson(5, (rows, rows, channels)).astype(np.float32)
    last = np.arange(channels) >= channels - 8
    mask = np.zeros((rows, rows), bool)
    mask[5:9, 5:9] = True
    expected = np.full((rows, rows, channels), 5, np.float32)
    kept = left(mask, measured, expected, last, np.ones((rows, rows), bool))
    np.testing.assert_array_equal(kept, mask)


def test_vacuum_and_what_was_not_judged_say_nothing(
    measured: NDArray[np.float32], expected: NDArray[np.float32]
) -> None:
    vacuum = np.zeros((60, 60), bool)
    vacuum[:, :8] = True
    measured[vacuum] = 0
    expected[vacuum] = 0
    judged = EVERYWHERE.copy()
    judged[50:] = False
    mask = left(RARE | FOREIGN, measured, expected, judged=judged)
    np.testing.assert_array_equal(mask, FOREIGN)
    hole = disc(10, 4, 2)
    mask = left(hole, measured, expected, judged=judged)
    np.testing.assert_array_equal(mask, hole)


@pytest.mark.parametrize(("column", "shift"), [(14, 2.0), (4, 1.6)])
def test_a_regression_that_knows_no_more_than_a_mean_explains_nothing(
    column: int, shift: float
) -> None:
    """A scan too small for the regression: neighbours still tell what resembles the mean."""
    strain = np.broadcast_to(np.linspace(0, 3, 28), (28, 28))
    spectra = 60 + line(25 + strain) + line(90 + strain)
    expected = spectra.astype(np.float32)
    row, columns = np.indices((28, 28))
    particle = np.hypot(row - 14, columns - column) <= 3
    spectra[particle] += line(90 + shift + strain)[particle] - line(90 + strain)[particle]
    everywhere = np.ones((28, 28), bool)
    mask = left(particle, counts(spectra), expected, judged=everywhere)
    np.testing.assert_array_equal(mask, particle)
