"""Deciding: what the panel shows is what is applied, and everything can be undone."""

from dataclasses import replace

import numpy as np
import pytest
from hyperspy.signals import Signal2D
from scipy.ndimage import label

from hyperspy_cvae import AnomalyMaps
from hyperspy_cvae.detection import QUANTITIES, Score
from hyperspy_cvae.gui import AnomalyDecision
from hyperspy_cvae.phantoms import UNIFORM, PeakShift, bifeo3

FE_L = (690.0, 730.0)


@pytest.fixture(scope="module")
def maps() -> AnomalyMaps:
    anomaly = PeakShift(3.0, discs=2, radius=3)
    phantom = bifeo3((36, 32), 160, offset=690, structure=UNIFORM, anomaly=anomaly, seed=2)
    return phantom.signal.detect_anomalies(FE_L, method="pca", n_components=1)


@pytest.fixture
def found(maps: AnomalyMaps) -> AnomalyMaps:
    return replace(maps, mask=maps.mask.deepcopy())


def test_the_panel_opens_with_what_was_found(found: AnomalyMaps) -> None:
    decision = AnomalyDecision(found)
    np.testing.assert_array_equal(decision.mask, found.mask.data)
    assert decision.method == "auto"
    assert decision.threshold == found.threshold.value
    assert f"{found.mask.data.sum()} of 1152 pixels" in decision.summary
    assert "in 2 regions" in decision.summary


def test_the_mask_follows_the_threshold(found: AnomalyMaps) -> None:
    decision = AnomalyDecision(found)
    before = decision.map_picture, decision.histogram_picture
    decision.threshold = -3.0
    assert decision.method == "fixed"
    np.testing.assert_array_equal(decision.mask, found.score.data < -3)
    assert decision.map_picture != before[0]
    assert decision.histogram_picture != before[1]
    assert all(each.startswith(b"\x89PNG") for each in before)
    decision.threshold = -2.0
    decision.smallest_region = 20
    sizes = np.bincount(label(decision.mask, np.ones((3, 3)))[0].ravel())
    assert sizes.min() >= 20
    assert decision.mask.sum() < (found.score.data < -2).sum()


def test_nothing_changes_before_it_is_applied(found: AnomalyMaps) -> None:
    mask = found.mask.data.copy()
    decision = AnomalyDecision(found)
    decision.threshold = -3.0
    np.testing.assert_array_equal(found.mask.data, mask)
    decision.apply()
    np.testing.assert_array_equal(found.mask.data, decision.mask)
    assert found.mask.metadata.CVAE.Decision.by_hand
    assert found.mask.metadata.CVAE.Decision.threshold == -3
    assert found.regions.pixels.sum() == found.mask.data.sum()


def test_reset_gives_the_maps_back(found: AnomalyMaps) -> None:
    mask, summary = found.mask.data.copy(), found.summary()
    decision = AnomalyDecision(found)
    decision.score, decision.smallest_region = "pcc", 7
    decision.apply()
    assert found.score.metadata.Signal.quantity == QUANTITIES["pcc"]
    decision.reset()
    np.testing.assert_array_equal(found.mask.data, mask)
    assert found.summary() == summary
    assert (decision.score, decision.smallest_region) == ("combined", 1)


def test_back_to_automatic(found: AnomalyMaps) -> None:
    decision = AnomalyDecision(found)
    decision.threshold = -1.0
    decision.method = "auto"
    assert decision.threshold == found.threshold.value
    np.testing.assert_array_equal(decision.mask, found.mask.data)


def test_another_range_starts_from_its_automatic_threshold(found: AnomalyMaps) -> None:
    decision = AnomalyDecision(found)
    decision.threshold = -2.0
    decision.signal_range = (700.0, 728.0)
    assert decision.method == "auto"
    decision.apply()
    again = found.comparison.signal.detect_anomalies((700.0, 728.0), method="pca", n_components=1)
    np.testing.assert_array_equal(found.mask.data, again.mask.data)
    assert found.signal_range == again.signal_range


def test_a_range_that_cannot_be_compared_is_told(found: AnomalyMaps) -> None:
    decision = AnomalyDecision(found)
    mask = decision.mask.copy()
    decision.signal_range = (700.0, 700.6)
    assert "widen it" in decision.summary
    np.testing.assert_array_equal(decision.mask, mask)


def test_the_panel_is_hyperspys(found: AnomalyMaps) -> None:
    """By its registry, and linked in both directions."""
    widgets = found.decide(display=False)["ipywidgets"]
    low, high = float(found.score.data.min()), float(found.score.data.max())
    assert (widgets["slider"].min, widgets["slider"].max) == pytest.approx((low, high))
    assert widgets["slider"].value == pytest.approx(found.threshold.value)
    picture = widgets["map"].value
    widgets["slider"].value = -3.0
    assert widgets["threshold"].value == -3
    assert "by hand" in widgets["summary"].value
    assert widgets["map"].value != picture
    widgets["apply"].click()
    np.testing.assert_array_equal(found.mask.data, found.score.data < -3)
    widgets["automatic"].click()
    assert "automatic" in widgets["summary"].value
    widgets["score"].value = "pcc"
    assert -1 <= widgets["slider"].min < widgets["slider"].max <= 1
    widgets["reset"].click()
    assert not found.mask.metadata.CVAE.Decision.threshold == -3
    assert widgets["score"].value == "combined"


@pytest.mark.parametrize("score", ["pcc", "combined"])
def test_otsus_threshold_stays_otsus(found: AnomalyMaps, score: Score) -> None:
    """Also where it is refused, which is no threshold at all."""
    found.decide("otsu", score=score)
    mask, summary = found.mask.data.copy(), found.summary()
    decision = AnomalyDecision(found)
    np.testing.assert_array_equal(decision.mask, mask)
    decision.threshold = float(np.median(found.score.data))
    decision.apply()
    assert found.mask.data.sum() > mask.sum()
    decision.reset()
    np.testing.assert_array_equal(found.mask.data, mask)
    assert found.summary() == summary
    found.decide(score="pcc" if score == "combined" else "combined")
    assert found.provenance["decision"]["threshold"] == "otsu"


def test_large_regions_only(found: AnomalyMaps) -> None:
    found.decide(smallest_region=300)
    widgets = found.decide(display=False)["ipywidgets"]
    assert widgets["smallest_region"].value == 300
    assert widgets["summary"].value.startswith("0 of 1152 pixels")
    found.decide(signal_range=np.array([700.0, 728.0]))
    assert found.signal_range == pytest.approx((700, 728), abs=0.3)
    assert found.provenance["decision"]["smallest_region"] == 300


def test_outside_a_notebook_there_is_no_panel(found: AnomalyMaps) -> None:
    with pytest.raises(RuntimeError, match="give the settings instead"):
        found.decide()


def test_by_settings_without_a_panel(found: AnomalyMaps) -> None:
    automatic = found.mask.data.copy()
    mask = found.mask
    seen = []
    mask.events.data_changed.connect(lambda obj: seen.append(obj), ["obj"])
    assert found.decide(-3.0, smallest_region=2) is None
    assert found.mask is mask
    assert seen == [mask]
    assert "The threshold -3 was given." in str(found)
    assert "regions of fewer than 2 pixels" in str(found)
    found.decide("auto", smallest_region=1)
    np.testing.assert_array_equal(mask.data, automatic)
    found.decide(score="pcc")
    assert found.score is found.pcc
    assert isinstance(found.score, Signal2D)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"threshold": "best"}, "threshold is 'best'"),
        ({"smallest_region": 0}, "smallest_region is 0"),
        ({"smallest_region": 2.5}, r"smallest_region is 2\.5"),
        ({"score": "nice"}, "nice"),
        ({"signal_range": (100.0, 120.0)}, "outside the energy axis"),
    ],
)
def test_settings_that_cannot_be_used_change_nothing(
    found: AnomalyMaps, settings: dict, told: str
) -> None:
    before = found.summary()
    with pytest.raises(ValueError, match=told):
        found.decide(**settings)
    assert found.summary() == before


def test_a_clean_scan_and_a_line() -> None:
    """Without any anomaly there is still something to move; lines are profiles."""
    phantom = bifeo3((1, 80), 160, offset=690, structure=UNIFORM, anomaly=None, seed=2)
    found = phantom.signal.inav[:, 0].detect_anomalies(FE_L, method="pca", n_components=1)
    decision = AnomalyDecision(found)
    assert decision.mask.shape == (80,)
    assert not decision.mask.any()
    decision.threshold = float(np.median(found.score.data))
    assert decision.mask.sum() == 40
    assert decision.map_picture.startswith(b"\x89PNG")
