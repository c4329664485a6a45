"""Energy axes: ranges, and what may be resampled."""

import numpy as np
import pytest

from hyperspy_cvae.reconstruction._energy import EnergyAxis, resample

AXIS = EnergyAxis(350.0, 0.5, 1024, "eV")


def test_range_includes_both_ends() -> None:
    channels = AXIS.channels((400.0, 410.0))
    assert AXIS.values[channels].tolist() == list(np.arange(400, 410.5, 0.5))
    assert AXIS.channels(None).all()


def test_impossible_ranges() -> None:
    with pytest.raises(
        ValueError, match=r"signal_range \(1690, 1730\) lies outside the energy axis 350-861.5 eV"
    ):
        AXIS.channels((1690, 1730))
    with pytest.raises(ValueError, match=r"\(730, 690\) is not rising"):
        AXIS.channels((730, 690))


@pytest.mark.parametrize(
    ("axis", "sentence"),
    [
        (EnergyAxis(350, 0.5, 1024, "meV"), "convert one with s.axes_manager.convert_units"),
        (EnergyAxis(360, 0.5, 1024, "eV"), "does not reach as far"),
        (EnergyAxis(350, 0.5, 900, "eV"), "does not reach as far"),
        (EnergyAxis(350, 1.5, 1024, "eV"), "differ too much to resample"),
        (EnergyAxis(350, 0.2, 4096, "eV"), "differ too much to resample"),
    ],
)
def test_unsound_resampling_is_refused_with_both_axes(axis: EnergyAxis, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refusal:
        axis.check_covers(AXIS)
    assert str(axis) in str(refusal.value)
    assert str(AXIS) in str(refusal.value)


def test_sound_resampling() -> None:
    axis = EnergyAxis(349.0, 0.4, 1290, "eV")
    axis.check_covers(AXIS)
    lines = (2 * axis.values + 3).astype(np.float32)
    np.testing.assert_allclose(resample(lines, axis, AXIS), 2 * AXIS.values + 3, rtol=1e-5)
    assert axis.inside(AXIS).sum() == pytest.approx(1024 * 0.5 / 0.4, abs=2)
