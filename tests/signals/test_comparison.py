"""Whether the scan is turned, to ask how well its bulk is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hyperspy_cvae import CVAE
from hyperspy_cvae.detection import Threshold
from hyperspy_cvae.phantoms import UNIFORM, PeakShift, Phantom, bifeo3

FE_L = (690.0, 730.0)
# Networks trained so briefly are often no better than a mean.
pytestmark = pytest.mark.filterwarnings("ignore:the me.* explain.* this spectrum image as well")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    anomaly = PeakShift(3.0, discs=1, radius=3)
    return bifeo3((32, 32), 160, offset=690, structure=UNIFORM, anomaly=anomaly, seed=2)


@pytest.mark.parametrize("settled", [True, False])
def test_a_network_is_asked(
    phantom: Phantom, settled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows the bulk, or makes something else where the disc is if the scan is turned."""
    signal, truth = phantom.signal.deepcopy(), phantom.truth.data
    signal.train_cvae(epochs=1)
    bulk = phantom.bulk.data.copy()
    measured = signal.data.copy()

    def reconstruct(model: CVAE, cube: NDArray[np.float32], axis: Any) -> NDArray[np.float32]:
        if np.array_equal(cube, measured):
            return bulk
        assert np.array_equal(cube[::-1, ::-1], measured)
        turned = bulk.copy()
        if not settled:
            turned[truth] += (measured[truth] - bulk[truth]) / 2
        return turned[::-1, ::-1]

    monkeypatch.setattr(CVAE, "reconstruct", reconstruct)
    monkeypatch.setattr("hyperspy_cvae.detection._rare_bulk.SURE", 0.0)
    monkeypatch.setattr("hyperspy_cvae.signals._comparison.smallest_shift", lambda *_: (3, 1.0))
    found = signal.detect_anomalies(FE_L)
    assert found.mask.data[truth].any() == settled
    assert ("when the scan is turned" in found.threshold.reason) != settled


def test_regions_are_added_by_their_size_where_a_network_can_be_asked(
    phantom: Phantom, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = np.zeros((32, 32), bool)
    large[:3, :3] = True
    assert not phantom.truth.data[large].any()

    def corner(_: NDArray[np.bool_], threshold: Threshold, *__: Any) -> Any:
        return large, replace(threshold, unimodal=False)

    monkeypatch.setattr("hyperspy_cvae.detection._found.large_regions", corner)
    monkeypatch.setattr(CVAE, "reconstruct", lambda *_, **__: phantom.bulk.data.copy())
    signal = phantom.signal.deepcopy()
    signal.train_cvae(epochs=1)
    found = signal.detect_anomalies((700.0, 712.0))
    assert found.mask.data[large].all()


def test_components_are_not(phantom: Phantom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turned, the scan would not fit the mask that they are fitted by."""

    def never(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("hyperspy_cvae.detection._rare_bulk.SURE", 0.0)
    monkeypatch.setattr("hyperspy_cvae.signals._comparison.reconstructed_turned", never)
    monkeypatch.setattr("hyperspy_cvae.detection._found.large_regions", never)
    found = phantom.signal.detect_anomalies(FE_L, method="pca", n_components=1)
    assert found.mask.data[phantom.truth.data].any()
