"""What is missed over a neighbourhood is added, and nothing of what is not usual."""

import numpy as np
import pytest

from hyperspy_cvae.detection import find_anomalies, score_spectra, with_local_misfit

ENERGY = np.arange(60)
LINE = np.exp(-(((ENERGY - 30) / 3.0) ** 2))


def scan(missed: float, dose: float = 200.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bulk whose line rises from left to right, counts of it, and a reconstruction without that."""
    rise = 1 + missed * np.linspace(-1, 1, 96)[:, None] * LINE
    bulk = dose * np.broadcast_to((1 + LINE) * rise, (96, 96, 60))
    counts = np.random.default_rng(0).poisson(bulk)
    flat = dose * np.broadcast_to(1 + LINE, (96, 96, 60))
    return tuple(each.astype(np.float32) for each in (bulk, counts, flat))


def test_a_slow_change_is_followed_within_its_noise() -> None:
    bulk, counts, flat = scan(0.1)
    found = with_local_misfit(counts, flat, np.ones((96, 96), bool))
    inside = np.s_[24:72, 24:72]

    def error(spectra: np.ndarray) -> float:
        return float(np.sqrt(np.square(spectra[inside] - bulk[inside]).mean()))

    assert error(found) < 0.3 * error(flat)
    assert flat.max() == pytest.approx(400, rel=1e-3)


def test_what_is_not_usual_says_nothing_and_gets_what_is_missed_around() -> None:
    _, counts, flat = scan(0.0)
    usual = np.ones((96, 96), bool)
    usual[40:52, 40:52] = False
    undisturbed = with_local_misfit(counts, flat, usual)
    counts[40:52, 40:52] *= 5
    np.testing.assert_array_equal(with_local_misfit(counts, flat, usual), undisturbed)
    assert np.abs(undisturbed[45, 45] / flat[45, 45] - 1).max() < 0.03


def test_few_pixels_say_little_and_none_nothing() -> None:
    _, counts, flat = scan(0.5)
    one = np.zeros((96, 96), bool)
    assert with_local_misfit(counts, flat, one) is flat
    one[0, 0] = True
    found = with_local_misfit(counts, flat, one)
    change = np.abs(found - flat).max()
    assert 0 < change < 0.2 * np.abs(counts[0, 0] - flat[0, 0]).max()


def test_vacuum_gets_nothing() -> None:
    empty = np.zeros((20, 20, 30), np.float32)
    np.testing.assert_array_equal(with_local_misfit(empty, empty, np.ones((20, 20), bool)), empty)


def test_a_faint_anomaly_is_found_beside_a_slow_change_as_large() -> None:
    """A tenth more or less of the line from one side to the other, and a tenth in a disc."""
    _, counts, flat = scan(0.1, dose=30.0)
    row, column = np.indices((96, 96))
    disc = np.hypot(row - 30, column - 60) < 6
    more = np.random.default_rng(1).poisson(12 * LINE, (np.count_nonzero(disc), 60))
    counts[disc] += more
    mask, _ = find_anomalies(score_spectra(counts, flat, "combined", 0.5), "combined")
    assert mask[disc].mean() > 0.7
    assert mask[~disc].mean() < 0.01
