"""A network is trained where it is worth it, and the result says what was taken."""

import numpy as np
import pytest

from hyperspy_cvae import EELSAnomalySignal
from hyperspy_cvae.detection import ReconstructionQuality
from hyperspy_cvae.phantoms import UNIFORM, PeakShift, bifeo3
from hyperspy_cvae.signals import _choice as choice

pytestmark = pytest.mark.filterwarnings("ignore:the me.* explain.* this spectrum image as well")
SMALL = {"channels": 100, "offset": 690, "dispersion": 0.5}


def never(*_: object, **__: object) -> None:
    raise AssertionError


def test_small_scans_take_low_rank_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EELSAnomalySignal, "train_cvae", never)
    anomaly = PeakShift(3.0, discs=1, radius=1.5)
    phantom = bifeo3((12, 14), **SMALL, structure=UNIFORM, anomaly=anomaly, seed=1)
    found = phantom.signal.detect_anomalies()
    assert found.mask.data[phantom.truth.data].all()
    assert "method          low rank (1 component): 168 pixels are too few" in str(found)


def test_where_one_component_explains_all_no_network_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(EELSAnomalySignal, "train_cvae", never)
    found = bifeo3((36, 36), **SMALL, structure=UNIFORM, seed=1).signal.detect_anomalies()
    assert not found.mask.data.any()
    assert "one component explains the bulk" in str(found)


@pytest.mark.parametrize("better", [True, False])
def test_a_network_is_taken_if_it_reconstructs_better(
    better: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = EELSAnomalySignal.train_cvae
    monkeypatch.setattr(
        EELSAnomalySignal, "train_cvae", lambda self, **kwds: train(self, epochs=1, **kwds)
    )
    quality = ReconstructionQuality(np.ones(3) / 3, np.full(10, 1.1), 1.0 if better else 1.2)
    monkeypatch.setattr("hyperspy_cvae.signals._comparison.Comparison.quality", lambda *_: quality)
    signal = bifeo3((34, 34), **SMALL, seed=1).signal
    found = signal.detect_anomalies()
    assert found.provenance["method"].startswith("3D-CVAE" if better else "low rank (")
    assert ("it reconstructs better than" in str(found)) == better
    assert ("a network reconstructs worse than" in str(found)) != better
    # What is kept is taken the next time.
    assert (signal._trained_cvae() is not None) == better


def test_a_network_that_is_there_is_taken() -> None:
    signal = bifeo3((12, 14), **SMALL, structure=UNIFORM, seed=1).signal
    model = signal.train_cvae(epochs=1)
    assert signal.detect_anomalies().provenance["method"] == "3D-CVAE"
    other = signal.deepcopy()
    del other.learning_results.cvae
    assert other.detect_anomalies(model=model).provenance["method"] == "3D-CVAE"
    with pytest.raises(ValueError, match="model was given with method='lowrank'"):
        signal.detect_anomalies(method="lowrank", model=model)


def test_the_choice_in_words() -> None:
    before = choice.Choice(True, 3, "")
    quality = ReconstructionQuality(np.ones(3) / 3, np.array([2.0, 1.5, 1.2]), 1.3)
    after = choice.after_training(before, quality)
    assert not after.network
    assert (
        after.why == "a network reconstructs worse than 3 components (misfit 1.300, low rank 1.200)"
    )
