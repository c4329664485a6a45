"""Detectors beside each other, and how small an anomaly could have been."""

from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from hyperspy_cvae import ComparedDetectors, DetectionLimit, EELSAnomalySignal
from hyperspy_cvae.phantoms import UNIFORM, PeakShift, bifeo3
from hyperspy_cvae.signals._detectors import _table

FE_L = (696.0, 735.5)
AXIS = {"channels": 58, "offset": 696, "dispersion": 0.7, "structure": UNIFORM}
NAMES = ["3D-CVAE", "low rank", "PCA-3", "PCA-4", "PCA-5", "tile median", "mean"]
# Networks trained so briefly are often no better than a mean.
pytestmark = pytest.mark.filterwarnings("ignore:the me.* explain.* this spectrum image as well")


@pytest.fixture(scope="module")
def crystal() -> EELSAnomalySignal:
    """A uniform crystal and a network that has seen little of it.

    3.8 % of the pixels are anomalous: 2 % more would be too much for exceptions.
    """
    anomaly = PeakShift(6.0, radius=1.5, discs=14)
    signal = bifeo3((60, 60), **AXIS, anomaly=anomaly, seed=1).signal
    signal.train_cvae(epochs=2)
    return signal


@pytest.fixture(scope="module")
def compared(crystal: EELSAnomalySignal) -> ComparedDetectors:
    return crystal.compare_detectors(FE_L, score="combined", shifts=(1.4, 6.3))


@pytest.fixture(scope="module")
def limit(crystal: EELSAnomalySignal) -> DetectionLimit:
    return crystal.detection_limit(FE_L, sizes=(0.0, 6.3), fractions=(0.02, 0.01), radius=1.5)


def test_a_large_shift_is_found_beside_anomalies_of_the_specimen(
    compared: ComparedDetectors,
) -> None:
    assert list(compared.table.index) == NAMES
    # PCA takes what it was fitted to for bulk, and shifts for more of it.
    found = compared.table.loc[["3D-CVAE", "tile median", "mean"]]
    assert (found["pixels"] >= 0.025 * 60 * 60).all()
    assert (found["6.3 eV"] == 1).all()
    assert found["smallest_shift"].isin([1.4, 6.3]).all()


def test_discs_are_told_from_the_bulk_alone(compared: ComparedDetectors) -> None:
    precision = compared.yardstick.set_index(["detector", "size"])["average_precision"].unstack()
    assert (precision[1.4] <= precision.loc["mean", 1.4] + 0.1).all()
    assert (precision[6.3] > 0.9)[["3D-CVAE", "tile median", "mean"]].all()
    # The rims of discs and of anomalies of the specimen count as neither.
    assert (compared.yardstick["bulk_flagged"] <= 1).all()


def test_counts_are_made_once(compared: ComparedDetectors) -> None:
    assert len({id(each.comparison.cube) for each in compared.found.values()}) == 1


def test_maps_are_those_of_a_detection(
    crystal: EELSAnomalySignal, compared: ComparedDetectors
) -> None:
    for name, options in (("3D-CVAE", {}), ("PCA-4", {"method": "pca", "n_components": 4})):
        alone = crystal.detect_anomalies(FE_L, score="combined", **options)
        beside = compared.found[name]
        np.testing.assert_array_equal(beside.score.data, alone.score.data)
        np.testing.assert_array_equal(beside.mask.data, alone.mask.data)
        assert beside.threshold.value == alone.threshold.value
    assert compared.found["mean"].provenance["method"] == "mean"


def test_summary_of_detectors(compared: ComparedDetectors) -> None:
    text = str(compared)
    assert "696-735.2 eV" in text
    for name in NAMES:
        assert f"\n  {name} " in text
    assert text.splitlines()[-1].startswith(("The network was", "It is open whether the network"))


@pytest.mark.parametrize(
    ("shifts", "precisions", "verdict"),
    [
        ((1.0, 2.0, 4.0), (0.8, 0.6, 0.7), "The network was worth it here"),
        ((2.0, 2.0, 4.0), (0.8, 0.6, 0.7), "The network was worth it here"),
        ((2.0, 2.0, np.nan), (0.7, 0.6, 0.69), "The network was not needed here"),
        ((np.nan, np.nan, np.nan), (0.1, 0.1, 0.1), "The network was not needed here"),
        ((4.0, 2.0, 4.0), (0.8, 0.6, 0.7), "It is open whether the network was worth it here"),
        ((np.nan, 2.0, 4.0), (0.7, 0.7, 0.7), "The network was not worth it here"),
    ],
)
def test_verdict(shifts: tuple[float, ...], precisions: tuple[float, ...], verdict: str) -> None:
    names = ["3D-CVAE", "PCA-3", "mean"]
    table = pd.DataFrame({"smallest_shift": shifts}, index=names)
    yardstick = pd.DataFrame({"detector": names, "average_precision": precisions})
    assert ComparedDetectors({}, table, yardstick)._verdict().startswith(f"{verdict}: ")


def test_verdict_where_no_shift_is_found_is_of_the_ranks() -> None:
    table = pd.DataFrame({"smallest_shift": np.nan}, index=["3D-CVAE", "PCA-3", "mean"])
    yardstick = pd.DataFrame({"detector": table.index, "average_precision": (0.8, 0.6, 0.7)})
    assert ComparedDetectors({}, table, yardstick)._verdict() == (
        "The network was worth it here: no detector finds any of these shifts in half of the "
        "discs. The network's average precision over all shifts is 0.80, and that of mean, the "
        "best of the others, 0.70."
    )


def test_nothing_of_the_signal_is_changed(
    crystal: EELSAnomalySignal, compared: ComparedDetectors, limit: DetectionLimit
) -> None:
    anomaly = PeakShift(6.0, radius=1.5, discs=14)
    again = bifeo3((60, 60), **AXIS, anomaly=anomaly, seed=1).signal
    np.testing.assert_array_equal(crystal.data, again.data)


def test_columns_of_shifts_that_are_nearly_alike() -> None:
    maps = SimpleNamespace(mask=SimpleNamespace(data=np.zeros(3)), regions=())
    yardstick = pd.DataFrame(
        {"detector": "mean", "size": [12.30, 12.34], "discs": 5, "discs_found": [0, 5]}
    )
    table = _table({"mean": maps}, {"mean": 1.0}, yardstick)
    assert list(table.loc["mean", ["12.3 eV", "12.34 eV"]]) == [0, 1]
    assert table["smallest_shift"]["mean"] == 12.34


def test_a_network_is_trained_if_there_is_none(
    crystal: EELSAnomalySignal, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = crystal.deepcopy()
    model = signal._trained_cvae()
    del signal.learning_results.cvae
    monkeypatch.setattr(EELSAnomalySignal, "train_cvae", lambda *arguments, **options: model)
    with pytest.warns(UserWarning, match="No trained 3D-CVAE is kept") as caught:
        signal.detection_limit(FE_L, sizes=(6.3,), fractions=(0.02,), radius=1.5)
    assert caught[0].filename == __file__


def test_table_of_the_limit(limit: DetectionLimit) -> None:
    table = limit.table
    assert list(table["fraction"]) == [0.01, 0.01, 0.02, 0.02]
    assert list(table["size"]) == [0.0, 6.3, 0.0, 6.3]
    assert (table["discs"] >= 5).all()
    assert (table["discs_found"][table["size"] == 0] == 0).all()
    assert (table["discs_found"] >= table["discs"] / 2)[table["size"] > 0].all()
    assert (table["radius"] <= 1.5).all()
    np.testing.assert_allclose(table["share_found"], table["pixels_found"] / table["pixels"])
    assert limit.smallest(0.02) == pytest.approx(6.3)
    assert "found from 6.3 eV on" in str(limit)
    with pytest.raises(ValueError, match=r"fraction is 0.3: choose one that was injected, 0.01"):
        limit.smallest(0.3)


def test_what_is_anomalous_already_is_left_out(limit: DetectionLimit) -> None:
    assert limit.already >= 0.025 * 60 * 60
    assert f"{limit.already} pixels are anomalous already" in str(limit)
    largest = limit.table[limit.table["size"] > 0]
    assert (largest["discs_found"] == largest["discs"]).all()
    assert (limit.table["bulk_flagged"] <= 1).all()
    assert (largest["average_precision"] > 0.9).all()


def test_summary_says_what_is_too_much_for_exceptions(limit: DetectionLimit) -> None:
    many = replace(limit, table=limit.table.assign(fraction=0.05))
    told = "5 % of the pixels or more are no exceptions to the automatic threshold"
    assert told in str(many)
    assert told not in str(limit)


@pytest.mark.parametrize(("kind", "size"), [("peak", 4.0), ("edge", 1.0)])
def test_peaks_and_edges(crystal: EELSAnomalySignal, kind: str, size: float) -> None:
    limit = crystal.detection_limit(
        FE_L, kind=kind, sizes=(1e-3, size), fractions=(0.02,), radius=1.5, energy=705.6
    )
    assert limit.energy == pytest.approx(705.8)
    assert list(limit.table["discs_found"]) == [0, limit.table["discs"][0]]
    assert limit.smallest(0.02) == size
    assert f"{kind}s at 705.8 eV, relative to the counts there" in str(limit)


def test_lazy_and_in_memory_are_alike(
    crystal: EELSAnomalySignal, compared: ComparedDetectors, limit: DetectionLimit
) -> None:
    lazy = crystal.as_lazy()
    again = lazy.detection_limit(FE_L, sizes=(6.3,), fractions=(0.02,), radius=1.5)
    alike = limit.table[(limit.table["size"] > 0) & (limit.table["fraction"] == 0.02)]
    pd.testing.assert_frame_equal(again.table, alike.reset_index(drop=True), rtol=0.02)
    beside = lazy.compare_detectors(FE_L, score="combined", shifts=(6.3,))
    same = ["pixels", "regions", "6.3 eV"]
    pd.testing.assert_frame_equal(beside.table[same], compared.table[same])
    assert lazy._lazy


def test_line_scan() -> None:
    signal = bifeo3((1, 240), **AXIS).signal.inav[:, 0]
    model = signal.train_cvae(epochs=1)
    limit = signal.detection_limit(FE_L, model=model, sizes=(8.0,), fractions=(0.03,), score="pcc")
    assert limit.table["pixels"][0] / limit.table["discs"][0] == pytest.approx(7, abs=1)
    assert limit.table["average_precision"][0] > 0.5
    compared = signal.compare_detectors(FE_L, model=model, score="pcc", shifts=(8.0,))
    compared.plot()
    plt.close("all")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "valence"}, "kind is 'valence': choose one of shift, peak, edge"),
        ({"fractions": (0.0,)}, "fractions is .*: give shares of the pixels between 0 and 1"),
        ({"fractions": ()}, "fractions is"),
        ({"sizes": (-1.0,)}, "sizes is"),
        ({"sizes": (0.1,)}, "shifts are whole channels of 0.7 eV"),
        ({"sizes": "a"}, "sizes is 'a': give a sequence of numbers"),
        ({"radius": -1}, "radius is -1"),
        ({"radius": 3000}, "radius is 3000, but it is 0 to 60 pixels"),
        ({"radius": np.inf}, "radius is inf"),
        ({"energy": 700.0}, "energy was given with kind='shift'"),
        ({"kind": "edge", "energy": 740.0}, r"energy 740 lies outside .* 696-735.2 eV"),
        ({"fractions": (0.9,), "sizes": (2.0,)}, "have no room"),
    ],
)
def test_what_cannot_be_injected(
    crystal: EELSAnomalySignal, options: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        crystal.detection_limit(FE_L, **options)


def test_what_cannot_be_compared(crystal: EELSAnomalySignal) -> None:
    with pytest.raises(ValueError, match=r"100 eV, but the signal range is 39\.9 eV"):
        crystal.compare_detectors(FE_L, shifts=(100.0,))
    with pytest.raises(ValueError, match="score is 'best'"):
        crystal.compare_detectors(FE_L, score="best")


def test_figures(compared: ComparedDetectors, limit: DetectionLimit) -> None:
    compared.plot()
    titles = [axes.get_title().split("\n")[0] for axes in plt.gcf().axes]
    assert titles[: len(NAMES)] == NAMES
    plt.close("all")
    limit.plot()
    left, right = plt.gcf().axes
    assert left.get_xlabel() == right.get_xlabel() == "Shift (eV)"
    plt.close("all")
