"""Numbers that are nearly normal for bulk, whatever its counts."""

import numpy as np
import pytest

from hyperspy_cvae.detection._statistics import (
    Statistic,
    along,
    deviations,
    statistics,
    tail_ratio,
)

EVERY = np.ones(3000, bool)


@pytest.mark.parametrize("dose", [0.05, 1.0, 30.0, 3000.0])
def test_noise_is_nearly_normal_from_few_counts_to_many(dose: float) -> None:
    expected = np.full((3000, 128), dose, np.float32)
    counts = np.random.default_rng(0).poisson(expected).astype(np.float32)
    for name, statistic in statistics(counts, expected, EVERY).items():
        far = deviations(statistic, EVERY)
        assert np.median(far) == pytest.approx(0, abs=0.1)
        # Of counts so few that a channel mostly holds none, a second one is a step.
        most = 7.5 if dose < 1 else 5.5
        assert far.max() < most, name


def test_gain_makes_no_difference() -> None:
    expected = np.full((500, 64), 100, np.float32)
    counts = np.random.default_rng(0).poisson(expected).astype(np.float32)
    every = np.ones(500, bool)
    one = statistics(counts, expected, every)
    other = statistics(8 * counts, 8 * expected, every)
    for name, statistic in one.items():
        np.testing.assert_allclose(statistic.values, other[name].values, rtol=1e-3)


def test_each_width_sees_what_is_as_wide() -> None:
    expected = np.full((3000, 128), 50, np.float32)
    counts = np.random.default_rng(0).poisson(expected).astype(np.float32)
    counts[0, 64] += 90
    counts[1, 64:96] += 18
    found = {
        name: deviations(each, EVERY) for name, each in statistics(counts, expected, EVERY).items()
    }
    assert found["largest 1"][0] > 6 > found["mean square 32"][0]
    assert found["largest 32"][1] > 6 > found["largest 1"][1]
    assert list(found)[-1] == "largest 32"  # four bins at least


def test_dead_channels_do_not_count() -> None:
    expected = np.full((300, 40), 50, np.float32)
    counts = np.random.default_rng(0).poisson(expected).astype(np.float32)
    every = np.ones(300, bool)
    one = statistics(counts[:, 4:], expected[:, 4:], every, (1,))
    counts[:, :4] = expected[:, :4] = 0
    other = statistics(counts, expected, every, (1,))
    np.testing.assert_allclose(one["largest 1"].values, other["largest 1"].values, rtol=1e-5)


def test_distance_along_axes() -> None:
    projections = np.random.default_rng(0).normal(3, 2, (3000, 2)).astype(np.float32)
    projections[0] = 23, 3
    assert along(projections, EVERY).values[0] == pytest.approx(100, rel=0.15)


def test_tail_ratio() -> None:
    random = np.random.default_rng(0)
    noise = [{"mean square 2": Statistic(random.chisquare(60, 3000) / 60, 0.0)} for _ in range(2)]
    assert tail_ratio(noise[0], noise, EVERY) == pytest.approx(1, abs=0.05)
    wide = {"mean square 2": Statistic(random.chisquare(15, 3000) / 15, 0.0)}
    assert tail_ratio(wide, noise, EVERY) == pytest.approx(2, rel=0.1)
