"""Artefacts in the table, in words and in the mask of a detection."""

import numpy as np
import pytest

from hyperspy_cvae import EELSAnomalySignal
from hyperspy_cvae.phantoms import UNIFORM, Detector, PeakShift, bifeo3

CAMERA = Detector(gain=1, read_noise=0, dark=0, correlation=0)


@pytest.fixture(scope="module")
def signal() -> EELSAnomalySignal:
    phantom = bifeo3(
        (24, 26),
        400,
        offset=690.0,
        structure=UNIFORM,
        detector=CAMERA,
        anomaly=PeakShift(radius=2, discs=1),
    )
    s = phantom.signal
    s.metadata.set_item("Truth", phantom.truth.data)
    s.data[3, 20, 200] += 900  # channel 200 is at 750 eV
    s.data[13] *= 3
    s.data[..., 350] = np.random.default_rng(0).exponential(3000, (24, 26))
    s.data[21, 3] = 0
    return s


@pytest.mark.parametrize("lazy", [False, True])
def test_each_is_listed_and_the_anomaly_is_found(signal: EELSAnomalySignal, lazy: bool) -> None:
    s = signal.as_lazy() if lazy else signal
    before = signal.data.copy()
    found = s.detect_anomalies(method="lowrank", show_progressbar=False)
    assert np.array_equal(signal.data, before)
    table = found.artefact_table
    by_kind = table.groupby("kind")
    assert by_kind.size().to_dict() == {
        "X-ray hit": 1,
        "dead pixel": 1,
        "noisy pixel": 26,
        "noisy channel": 1,
    }
    hit = by_kind.get_group("X-ray hit").iloc[0]
    axes = signal.axes_manager.navigation_axes
    assert (hit.x, hit.y) == (axes[0].axis[20], axes[1].axis[3])
    assert hit.energy == pytest.approx(750, abs=1)
    assert hit.height > 10
    assert by_kind["treatment"].first().to_dict() == {
        "X-ray hit": "repaired",
        "dead pixel": "not judged",
        "noisy pixel": "not judged",
        "noisy channel": "not compared",
    }
    assert found.artefacts.data.sum() == 28
    judged = np.isfinite(found.pcc.data)
    assert not judged[13].any()
    assert not judged[21, 3]
    assert judged.sum() == 24 * 26 - 27
    truth = signal.metadata.Truth.astype(bool)
    truth[13] = False
    assert found.mask.data[truth].all()
    assert not found.mask.data[~truth].any()
    said = str(found)
    for sentence in (
        "1 pixel holds X-ray hits: repaired",
        "1 pixel holds no counts: not judged",
        "26 pixels have noise that counts do not have: not judged",
        "the channel at 795 eV flickers: not compared",
    ):
        assert sentence in said


def test_kinds_of_regions(signal: EELSAnomalySignal) -> None:
    s = signal.deepcopy()
    s.data[7:9, 22:24, 50:90] *= 1.5
    s.data[18:20, 20:22, 50:90] *= 1.5
    found = s.detect_anomalies(method="lowrank")
    assert found.regions["kind"].value_counts().to_dict() == {"A": 1, "B": 2}
    assert found.regions["kind"][found.labels[18, 20]] == "B"
    assert (
        found.labels[18, 20]
        == found.regions.index[found.regions["y"] == found.regions["y"].max()][0]
    )
    assert "B: 2 regions, 8 pixels" in str(found)


def test_a_scan_without_has_an_empty_table() -> None:
    s = bifeo3((24, 26), 200, offset=690.0, structure=UNIFORM, detector=CAMERA).signal
    found = s.detect_anomalies(method="lowrank")
    assert found.artefact_table.empty
    assert "artefacts" not in str(found)
    assert not found.artefacts.data.any()
