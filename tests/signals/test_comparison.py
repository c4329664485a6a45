"""What is found beside a reconstruction, and what of it is set aside."""

import numpy as np
import pytest

from hyperspy_cvae import CVAE
from hyperspy_cvae.phantoms import UNIFORM, PeakShift, Phantom, bifeo3

FE_L = (690.0, 730.0)
# Networks trained so briefly are often no better than a mean.
pytestmark = pytest.mark.filterwarnings("ignore:the me.* explain.* this spectrum image as well")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    anomaly = PeakShift(3.0, discs=1, radius=3)
    return bifeo3((32, 32), 160, offset=690, structure=UNIFORM, anomaly=anomaly, seed=2)


@pytest.mark.parametrize("rare", [True, False])
def test_rare_bulk_is_set_aside_where_a_network_is_compared(
    phantom: Phantom, rare: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal, truth = phantom.signal.deepcopy(), phantom.truth.data
    signal.train_cvae(epochs=1)
    monkeypatch.setattr(CVAE, "reconstruct", lambda *_, **__: phantom.bulk.data.copy())

    def without(mask: np.ndarray, *_: object) -> np.ndarray:
        return mask & ~truth if rare else mask

    monkeypatch.setattr("hyperspy_cvae.signals._comparison.without_rare_bulk", without)
    monkeypatch.setattr("hyperspy_cvae.signals._comparison.smallest_shift", lambda *_: (3, 1.0))
    found = signal.detect_anomalies(FE_L)
    assert found.mask.data[truth].any() != rare
    assert found.threshold.unimodal == rare
    assert ("set aside as rare bulk: other energies predict it." in str(found)) == rare
    assert (np.nanmin(found.score.data) < found.threshold.value) != rare


def test_of_components_nothing_is_set_aside(
    phantom: Phantom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("hyperspy_cvae.signals._comparison.without_rare_bulk", never)
    found = phantom.signal.detect_anomalies(FE_L, method="pca", n_components=1)
    assert found.mask.data[phantom.truth.data].any()
    found = phantom.signal.detect_anomalies(FE_L, method="lowrank")
    assert found.mask.data[phantom.truth.data].all()
