"""Settings that no training can have are refused where they are made."""

import math

import pytest

from hyperspy_cvae.training import TrainingConfig


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", 0, "at least 1"),
        ("batch_size", -1, "at least 1"),
        ("steps_per_epoch", 0, "at least 1"),
        ("learning_rate", -1e-3, "from 0 on"),
        ("hidden_learning_rate", math.nan, "from 0 on"),
        ("gradient_clip", math.inf, "from 0 on"),
        ("held_out", 1.0, "from 0 to below 1"),
        ("left_out", -0.1, "from 0 to below 1"),
        ("corruption", 1.5, "from 0 to 1"),
        ("warm_up", math.nan, "from 0 to 1"),
        ("schedule", "cosine", "'onecycle' or 'plateau'"),
    ],
)
def test_impossible_settings(name: str, value: float | str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as error:
        TrainingConfig(**{name: value})
    assert name in str(error.value)
    assert str(value) in str(error.value)


def test_bounds_are_allowed() -> None:
    settings = {"epochs": 1, "warm_up": 1.0, "corruption": 0.0, "left_out": 0.0, "held_out": 0.0}
    assert TrainingConfig(**settings).epochs == 1


def test_steps_grow_with_the_scan_between_two_bounds() -> None:
    sides = (1, 10, 42, 50, 64, 96, 144, 2048)
    steps = [TrainingConfig().steps(side**2) for side in sides]
    assert steps == sorted(steps)
    assert steps[0] == steps[2] == 4
    assert steps[-1] == steps[-2] == 40
    assert 4 < steps[4] < steps[5] < 40
    assert TrainingConfig(steps_per_epoch=7).steps(192**2) == 7
