import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.utils.extmath import randomized_svd

from hyperspy_cvae.detection import pearson_correlation
from hyperspy_cvae.phantoms import (
    Detector,
    LocalChemistry,
    PeakShift,
    Phantom,
    Structure,
    bifeo3,
    paper_si,
)


def test_same_seed_same_phantom(shifted: Phantom) -> None:
    anomaly = PeakShift(2.4, "shift", discs=2, radius=3)
    again = bifeo3((24, 30), 400, offset=650, anomaly=anomaly, seed=11)
    other = bifeo3((24, 30), 400, offset=650, anomaly=anomaly, seed=12)
    assert np.array_equal(again.signal.data, shifted.signal.data)
    assert np.array_equal(again.truth.data, shifted.truth.data)
    assert not np.array_equal(other.bulk.data, shifted.bulk.data)
    assert not np.array_equal(other.truth.data, shifted.truth.data)


def test_anomaly_changes_its_discs_and_nothing_else(
    clean: Phantom, shifted: Phantom, rolled: Phantom
) -> None:
    for phantom in (shifted, rolled):
        assert np.array_equal(phantom.bulk.data, clean.bulk.data)
        changed = (phantom.signal.data != clean.signal.data).any(-1)
        assert np.array_equal(changed, phantom.truth.data)
    assert np.array_equal(shifted.truth.data, rolled.truth.data)


def test_roll_rolls_recorded_counts(clean: Phantom, rolled: Phantom) -> None:
    energy = clean.signal.axes_manager.signal_axes[0].axis
    inside = np.flatnonzero((energy >= 711.5) & (energy < 723.8))
    discs = rolled.truth.data
    expected = np.roll(clean.signal.data[discs][:, inside], 8, axis=-1)
    assert np.array_equal(rolled.signal.data[discs][:, inside], expected)


@pytest.mark.parametrize("shift", [0.9, 2.4, -1.5])
def test_shift_moves_the_edge(shift: float, uniform: Structure) -> None:
    phantom = bifeo3(
        (20, 20),
        300,
        offset=690,
        # Without continuum and at a dose beyond any microscope only the white lines remain.
        structure=replace(uniform, bismuth=0, oxygen=0),
        detector=Detector(dose=1e5, read_noise=0, dark=0),
        anomaly=PeakShift(shift, radius=3, discs=2),
        seed=1,
    )
    energy = phantom.signal.axes_manager.signal_axes[0].axis
    near = (energy > 700) & (energy < 735)
    truth = phantom.truth.data
    background = np.interp(energy, energy[~near], phantom.bulk.data[0, 0][~near])
    peaks = [
        energy[np.argmax(spectrum)]
        for spectrum in (
            phantom.signal.data[truth].mean(0) - background,
            phantom.signal.data[~truth].mean(0) - background,
        )
    ]
    assert peaks[0] - peaks[1] == pytest.approx(shift, abs=0.301)


@pytest.mark.parametrize(
    ("anomaly", "more", "less"),
    [
        (LocalChemistry(l3=2.0, discs=2, radius=3), 716.5, 712.0),
        (LocalChemistry(l2=0.2, discs=2, radius=3), 726.3, None),
        (LocalChemistry(prepeak=-0.4, discs=2, radius=3), None, 531.0),
        (LocalChemistry(manganese=0.3, discs=2, radius=3), 641.5, 713.4),
    ],
)
def test_local_chemistry(
    anomaly: LocalChemistry, more: float | None, less: float | None, uniform: Structure
) -> None:
    detector = Detector(dose=1e5, read_noise=0, dark=0)
    phantom = bifeo3((20, 20), 720, 520.0, 0.3, uniform, detector, anomaly, seed=1)
    energy = phantom.signal.axes_manager.signal_axes[0].axis
    truth = phantom.truth.data
    assert truth.any()
    excess = phantom.signal.data[truth].mean(0) / phantom.bulk.data[truth].mean(0) - 1
    if more is not None:
        assert excess[np.abs(energy - more).argmin()] > 0.01
    if less is not None:
        assert excess[np.abs(energy - less).argmin()] < -0.01
    assert np.abs(excess[energy < 522]).max() < 0.005
    outside = phantom.signal.data[~truth] / phantom.bulk.data[~truth] - 1
    assert np.abs(outside.mean(0)).max() < 0.005


def test_recorded_counts_scatter_around_the_bulk(clean: Phantom) -> None:
    difference = clean.signal.data - clean.bulk.data
    assert difference.mean() == pytest.approx(0, abs=0.05)
    assert clean.signal.data.dtype == clean.bulk.data.dtype == np.float32


@pytest.mark.parametrize("anomaly", [None, PeakShift(shift=0), LocalChemistry()])
def test_clean_phantom(anomaly: PeakShift | LocalChemistry | None) -> None:
    phantom = bifeo3((8, 9), 50, anomaly=anomaly)
    assert phantom.truth.data.dtype == bool
    assert not phantom.truth.data.any()


def test_axes_are_calibrated(shifted: Phantom) -> None:
    for signal in (shifted.signal, shifted.bulk):
        axes = signal.axes_manager
        assert [axis.name for axis in axes.navigation_axes] == ["x", "y"]
        assert {axis.units for axis in axes.navigation_axes} == {"nm"}
        assert axes.navigation_shape == (30, 24)
        energy = axes.signal_axes[0]
        assert (energy.name, energy.units, energy.offset, energy.scale, energy.size) == (
            "Energy loss",
            "eV",
            650,
            0.3,
            400,
        )
        assert signal.metadata.Signal.signal_type == "EELSAnomaly"
        assert signal.metadata.Acquisition_instrument.TEM.beam_energy == 60
    assert [axis.name for axis in shifted.truth.axes_manager.signal_axes] == ["x", "y"]
    assert shifted.truth.data.shape == (24, 30)


def test_description_is_json(shifted: Phantom) -> None:
    description = json.loads(json.dumps(shifted.description))
    assert description["seed"] == 11
    assert description["anomaly"]["shift"] == 2.4
    assert description["structure"]["domains"][0]["l3"] > 700


@pytest.mark.parametrize("shape", [(16, 16), (45, 22), (1, 30), (24, 1)])
def test_any_size(shape: tuple[int, int]) -> None:
    phantom = bifeo3(shape, 24, offset=520)
    assert phantom.signal.data.shape == (*shape, 24)
    assert np.isfinite(phantom.signal.data).all()


@pytest.mark.parametrize(
    ("anomaly", "edge"),
    [
        (PeakShift(), "Fe L2,3"),
        (LocalChemistry(l2=0.1), "Fe L2,3"),
        (LocalChemistry(prepeak=0.1), "O K"),
        (LocalChemistry(manganese=0.1), "Mn L2,3"),
    ],
)
def test_anomaly_beyond_the_axis(anomaly: PeakShift | LocalChemistry, edge: str) -> None:
    with pytest.raises(ValueError, match=f"does not contain the {edge} edge"):
        bifeo3((64, 64), 100, offset=590, anomaly=anomaly)


def test_impossible_share_of_manganese() -> None:
    with pytest.raises(ValueError, match=r"manganese is 1\.2; it must lie between 0 and 1"):
        LocalChemistry(manganese=1.2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"shape": (0, 4)}, r"shape is \(0, 4\); it must be the numbers of rows and columns"),
        ({"channels": 1}, "channels is 1; an energy axis has at least 2"),
        ({"dispersion": -0.3}, "dispersion is -0.3 eV; both must be above 0"),
    ],
)
def test_impossible_sizes(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        bifeo3(**arguments)  # type: ignore[arg-type]


def test_paper_si_small() -> None:
    clean = paper_si(shape=(24, 24), seed=3, anomalous=False)
    rolled = paper_si(shape=(24, 24), seed=3, mode="roll")
    assert not clean.truth.data.any()
    assert rolled.truth.data.sum() == 4 * 5
    assert np.array_equal(clean.bulk.data, rolled.bulk.data)
    assert np.array_equal(
        clean.signal.data[~rolled.truth.data], rolled.signal.data[~rolled.truth.data]
    )


def test_paper_si_is_as_hard_as_the_published_one() -> None:
    """PCC in 690-730 eV of 4 principal components of a scan with a 2.4 eV roll, and of the bulk.

    Published: .886 in the bulk and .806 in the anomaly; the bulk itself .925.
    """
    bulk, anomalous, bound = [], [], []
    for seed in (31, 32, 33):
        phantom = paper_si(2.4, "roll", seed=seed)
        counts, truth = phantom.signal.data, phantom.truth.data
        window = np.s_[..., 900:1034]
        spectra = counts.reshape(-1, counts.shape[-1])
        left, values, right = randomized_svd(spectra, 4, n_iter=2, random_state=0)
        components = (left * values @ right).reshape(counts.shape)
        score = pearson_correlation(counts[window], components[window])
        bulk.append(score[~truth].mean())
        anomalous.append(score[truth].mean())
        bound.append(pearson_correlation(counts[window], phantom.bulk.data[window])[~truth].mean())
    assert np.mean(bulk) == pytest.approx(0.886, abs=0.015)
    assert np.mean(anomalous) == pytest.approx(0.806, abs=0.03)
    assert np.mean(bound) == pytest.approx(0.925, abs=0.01)
