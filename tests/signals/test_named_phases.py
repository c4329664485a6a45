"""The phases of measured scans, and what they differ in."""

from pathlib import Path

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_cvae.phantoms import UNIFORM, bifeo3

SHARED = Path(__file__).parents[3] / "shared" / "data"


def test_a_uniform_scan_has_one() -> None:
    found = bifeo3((16, 16), 100, offset=690.0, structure=UNIFORM).signal.detect_anomalies()
    assert (found.phases.data == 1).all()
    assert not found.phase_explanations
    assert "phase" not in str(found)


@pytest.mark.skipif(not SHARED.exists(), reason="the measured spectrum images are not here")
def test_the_layer_of_an_oxide_differs_at_every_edge() -> None:
    s = hs.load(SHARED / "real" / "oxide_layers.dm3", signal_type="EELSAnomaly")
    s.add_elements(("Ti", "O", "Mn", "La"))
    found = s.detect_anomalies()
    assert not found.mask.data.any()
    layer = found.phases.data == 3
    assert layer[20:28].all()
    assert not layer[:16].any()
    assert not layer[32:].any()
    edges = {
        edge.name.split("_")[0]
        for each in found.phase_explanations[3].findings
        for edge in each.edges
    }
    assert edges >= {"La", "Mn", "Ti", "O"}
    assert "phase 3         against phase 1: excess of" in str(found)


@pytest.mark.skipif(not SHARED.exists(), reason="the measured spectrum images are not here")
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("null_sio2_sic", 2),
        ("null_srtio3_two_places", 2),
        ("null_tio2_drift", 1),
        ("null_carbon_film", 1),
    ],
)
def test_phases_of_measured_scans(name: str, number: int) -> None:
    s = hs.load(SHARED / "measured" / f"{name}.hspy", signal_type="EELSAnomaly")
    found = s.detect_anomalies()
    assert found.phases.data.max() == number
    assert np.isfinite(found.pcc.data[found.phases.data == number]).all()
