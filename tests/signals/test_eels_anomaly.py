"""The signal: from a file to maps, and everything that must survive on the way."""

import re
import subprocess
import sys
from pathlib import Path

import exspy.signals
import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
import pytest
from dm4 import DMAxis, DMImage, write_dm4
from hyperspy.signals import BaseSignal, Signal1D, Signal2D
from scipy.ndimage import label
from traits.api import Undefined

import hyperspy_cvae
from hyperspy_cvae import CVAE, AnomalyMaps, EELSAnomalySignal, LazyEELSAnomalySignal
from hyperspy_cvae.detection import QUANTITIES, Score, anomalous, otsu_threshold
from hyperspy_cvae.phantoms import UNIFORM, PeakShift, Phantom, bifeo3

FE_L = (690.0, 730.0)
# Networks trained so briefly are often no better than a mean.
pytestmark = pytest.mark.filterwarnings("ignore:the me.* explain.* this spectrum image as well")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return bifeo3((24, 20), 160, offset=690, anomaly=PeakShift(3.0, radius=2, discs=2), seed=2)


@pytest.fixture(scope="module")
def trained(phantom: Phantom) -> EELSAnomalySignal:
    signal = phantom.signal.deepcopy()
    signal.train_cvae(epochs=3)
    return signal


@pytest.fixture(scope="module")
def found(trained: EELSAnomalySignal) -> AnomalyMaps:
    return trained.detect_anomalies(FE_L, score="pcc", threshold=0.8)


def uniform(shape: tuple[int, int], discs: int) -> Phantom:
    """A uniform crystal, its Fe L edge shifted by 3 eV in discs."""
    anomaly = PeakShift(3.0, discs=discs, radius=3)
    return bifeo3(shape, 160, offset=690, structure=UNIFORM, anomaly=anomaly, seed=2)


def same(one: AnomalyMaps, other: AnomalyMaps) -> bool:
    return np.array_equal(one.pcc.data, other.pcc.data, equal_nan=True) and np.array_equal(
        one.mask.data, other.mask.data
    )


def test_maps_are_calibrated_signals(trained: EELSAnomalySignal, found: AnomalyMaps) -> None:
    for image in (found.pcc, found.mask, found.image):
        assert type(image) is Signal2D
        assert image.axes_manager.signal_shape == (20, 24)
        assert [axis.units for axis in image.axes_manager.signal_axes] == ["nm", "nm"]
        assert [axis.scale for axis in image.axes_manager.signal_axes] == [0.05, 0.05]
    assert found.mask.data.dtype == bool
    assert found.pcc.metadata.Signal.quantity == "PCC"
    assert found.pcc.metadata.General.title == "PCC of BiFeO3 phantom"
    np.testing.assert_allclose(found.image.data, trained.data.sum(-1), rtol=1e-5)
    pcc, mask = found
    assert pcc is found.pcc
    assert mask is found.mask


def test_pcc_is_that_of_the_reconstruction(trained: EELSAnomalySignal, found: AnomalyMaps) -> None:
    model = trained.cvae_reconstruct()
    assert type(model) is EELSAnomalySignal
    assert model.axes_manager.as_dictionary() == trained.axes_manager.as_dictionary()
    np.testing.assert_allclose(model.data.sum(-1), trained.data.sum(-1), rtol=1e-3)
    energy = trained.axes_manager.signal_axes[0].axis
    one, other = (signal.data[5, 7, energy < 730.01] for signal in (trained, model))
    assert found.pcc.data[5, 7] == pytest.approx(np.corrcoef(one, other)[0, 1], abs=1e-3)
    assert np.array_equal(found.mask.data, found.pcc.data < 0.8)


def test_provenance(found: AnomalyMaps) -> None:
    node = found.pcc.metadata.CVAE
    assert node.version == hyperspy_cvae.__version__
    assert node.Configuration.seed == 0
    assert node.Configuration.network == "compact"
    assert node.Configuration.Training.epochs == 3
    assert node.Threshold.value == 0.8
    assert node.Threshold.reason == "The threshold 0.8 was given."
    assert node.signal_range == pytest.approx([690, 730], abs=0.2)


def test_summary(found: AnomalyMaps) -> None:
    text = str(found)
    assert "BiFeO3 phantom" in text
    assert f"{found.mask.data.sum()} of 480 pixels" in text
    assert "690-729.9 eV" in text


def test_the_combined_score(trained: EELSAnomalySignal, found: AnomalyMaps, tmp_path: Path) -> None:
    """The threshold is on the score, the PCC stays, and masked pixels are left out of both."""
    score: Score = "combined"
    assert found.score is found.pcc
    excluded = np.zeros((24, 20), bool)
    excluded[:3] = True
    other = trained.detect_anomalies(FE_L, score=score, threshold=-3.0, navigation_mask=excluded.T)
    np.testing.assert_array_equal(other.pcc.data[3:], found.pcc.data[3:])
    assert np.array_equal(np.isnan(other.score.data), excluded)
    assert np.array_equal(other.mask.data, other.score.data < -3)
    assert other.score.metadata.CVAE.score == score
    title = other.score.metadata.General.title
    assert title == f"{QUANTITIES[score]} of BiFeO3 phantom"
    assert QUANTITIES[score] in str(other)
    names = {path.name for path in other.save(tmp_path, "SI")}
    ends = ("-pcc.hspy", f"-{score}.hspy", "-mask.hspy", "-regions.csv", ".png")
    assert names == {f"SI{end}" for end in ends}
    saved = hs.load(tmp_path / f"SI-{score}.hspy")
    np.testing.assert_array_equal(saved.data, other.score.data)


def test_threshold_of_another_score(trained: EELSAnomalySignal) -> None:
    """A limit that fits a correlation would call all pixels anomalous by the combined score."""
    with pytest.warns(UserWarning, match=r"threshold 0.8 lies above the median Combined score, -"):
        found = trained.detect_anomalies(FE_L, score="combined", threshold=0.8)
    assert found.mask.data.mean() > 0.5


def test_regions_without_being_asked_for_a_threshold() -> None:
    """What is found by default, and where it lies."""
    phantom = uniform((32, 32), discs=1)
    truth = phantom.truth.data
    signal = phantom.signal
    found = signal.detect_anomalies(FE_L, method="pca", n_components=1)
    assert found.threshold.method == "auto"
    assert found.score.metadata.CVAE.score == "combined"
    mask = found.mask.data
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.9
    assert found.threshold.label.startswith("limit -")
    assert str(found.threshold.reason) in str(found)


def test_regions_are_a_table_and_spectra() -> None:
    phantom = uniform((48, 40), discs=2)
    found = phantom.signal.detect_anomalies(FE_L, method="pca", n_components=1)
    table = found.regions
    assert list(table.index) == [1, 2]
    assert table.pixels.sum() == found.mask.data.sum()
    np.testing.assert_allclose(table.area, table.pixels * 0.05**2)
    assert table.score.is_monotonic_increasing
    assert table.p_value.max() < 0.05
    truth, count = label(phantom.truth.data)
    centres = {tuple(np.argwhere(truth == n).mean(0).round(0)) for n in range(1, count + 1)}
    assert {tuple(c) for c in (table[["y", "x"]] / 0.05).round(0).to_numpy()} == centres
    # The L3 maximum is lower, and there is more 3 eV above it.
    assert table.change.abs().min() > 0.1
    for line in table.itertuples():
        assert 705 < line.energy < 722
        assert line.energy == pytest.approx(line.energies[0], abs=1e-3)
        assert f"region {line.Index}" in str(found)
    energy = found.measured.axes_manager.signal_axes[0]
    assert energy.offset == 690
    assert found.measured.axes_manager.navigation_axes[0].name == "Region"
    regions, _ = label(found.mask.data)
    pixels = regions == regions[found.score.data == table.score[1]]
    mean = phantom.signal.data[pixels].mean(0)
    np.testing.assert_allclose(found.measured.inav[0].data, mean, rtol=1e-5)
    assert found.reconstructed.data.shape == found.measured.data.shape == (2, 160)
    # The error is that of the mean: about half of the noise of the mean electrons.
    inside = np.isfinite(found.error.data[0])
    assert inside.sum() == round(40 / 0.3) + 1
    scatter = phantom.signal.data[~phantom.truth.data].std(0) / np.sqrt(table.pixels[1])
    ratio = found.error.inav[0].data[inside] / scatter[inside]
    assert 0.7 < np.median(ratio) < 1.3


def test_regions_are_explained() -> None:
    """In the table, in the summary and by number; edges are declared as in eXSpy."""
    signal = uniform((48, 40), discs=2).signal
    signal.add_elements(("Fe",))
    found = signal.detect_anomalies(FE_L, method="pca", n_components=1)
    told = found.explain()
    assert list(told) == list(found.regions.index) == [1, 2]
    assert list(found.regions.explanation) == [str(each) for each in told.values()]
    for number, explanation in told.items():
        first = explanation.findings[0]
        assert (first.kind, first.edges[0].name) == ("shift", "Fe_L3")
        assert first.change == pytest.approx(3.0, abs=0.3)
        assert str(first).startswith("Fe L3 maximum ")
        assert str(first) in str(found)
        assert f"region {number}: {first}\n" in f"{told}\n"
        assert found.explain(number) is explanation
    assert found.measured.metadata.Sample.elements == ["Fe"]
    with pytest.raises(ValueError, match="region is 3: choose one of 1 to 2"):
        found.explain(3)
    with pytest.raises(ValueError, match="region is 3: choose one of 1 to 2"):
        found.region_mask(3)


def test_only_the_first_regions_are_explained_at_once() -> None:
    signal = bifeo3((48, 48), 160, offset=690, structure=UNIFORM, anomaly=None, seed=2).signal
    found = signal.detect_anomalies(FE_L, method="pca", n_components=1, score="pcc")
    found.decide(float(np.quantile(found.score.data, 0.02)))
    assert len(found.regions) == len(found.explain()) > 20
    assert (found.regions.explanation != "").sum() == 20
    assert found.regions.explanation[20] == str(found.explain(20))
    assert found.regions.explanation[21] == ""
    assert str(found.explain(21)).startswith("no single change stands out")
    *_, last, more = str(found.explain()).splitlines()
    assert last.startswith("region 20: ")
    assert more.startswith(f"regions 21 to {len(found.regions)} are explained when asked for")


def test_edges_that_were_not_declared_are_called_near() -> None:
    found = uniform((32, 32), discs=1).signal.detect_anomalies(FE_L, method="pca", n_components=1)
    assert "maximum near Fe L3" in str(found.explain(1))


def test_region_is_plotted() -> None:
    signal = uniform((32, 32), discs=1).signal
    signal.add_elements(("Fe", "O"))
    dead = np.arange(160) == 70
    found = signal.detect_anomalies(FE_L, method="pca", n_components=1, signal_mask=dead)
    found.plot_region()
    figure = plt.gcf()
    assert figure.get_suptitle().splitlines()[1:] == found.explain(1).sentences
    above, below = figure.axes
    assert {text.get_text() for text in above.texts} == {"Fe L3", "Fe L2"}
    measured, bulk = (line.get_ydata() for line in above.lines[:2])
    inside = np.isfinite(found.error.data[0])
    np.testing.assert_allclose(measured, found.measured.data[0, inside], rtol=1e-6)
    np.testing.assert_allclose(below.lines[0].get_ydata(), measured - bulk)
    plt.close(figure)


def test_no_region_to_explain() -> None:
    clean = bifeo3((32, 32), 160, offset=690, structure=UNIFORM, seed=2).signal
    found = clean.detect_anomalies(FE_L, method="pca", n_components=1, threshold=-1e3)
    assert str(found.explain()) == "no region was found"
    with pytest.raises(ValueError, match="region is 1: none was found"):
        found.plot_region()


def test_axes_that_are_uneven_or_have_no_units() -> None:
    signal = uniform((32, 32), discs=1).signal
    even = signal.detect_anomalies(FE_L, method="pca", n_components=1)
    signal.axes_manager.navigation_axes[0].convert_to_non_uniform_axis()
    signal.axes_manager.signal_axes[0].units = Undefined
    uneven = signal.detect_anomalies(FE_L, method="pca", n_components=1)
    np.testing.assert_allclose(uneven.regions.area, even.regions.area)
    assert "undefined" not in str(uneven)


def test_pixels_without_an_electron_are_not_judged() -> None:
    signal = bifeo3((32, 32), 160, offset=690, structure=UNIFORM, seed=2).signal
    signal.data[:, :9] = 0
    found = signal.detect_anomalies(FE_L, method="pca", n_components=1)
    assert np.array_equal(np.isnan(found.score.data), signal.data.sum(-1) == 0)


def test_nothing_there_says_what_would_have_been_found() -> None:
    clean = bifeo3((32, 32), 160, offset=690, structure=UNIFORM, seed=2).signal
    before = clean.data.copy()
    found = clean.detect_anomalies(FE_L, method="pca", n_components=1)
    assert not found.mask.data.any()
    assert len(found.regions) == 0
    assert found.measured is None
    reason = found.threshold.reason
    assert reason.startswith("Nothing found: the most unusual place (-")
    shift, width = re.search(
        r"shifted by ([\d.]+) eV within the signal range, in a disc (\d) pixels wide, would", reason
    ).groups()
    assert np.array_equal(clean.data, before)
    # It would have been.
    anomaly = PeakShift(float(shift), discs=1, radius=int(width) // 2 + 0.5)
    phantom = bifeo3((32, 32), 160, offset=690, structure=UNIFORM, anomaly=anomaly, seed=2)
    again = phantom.signal.detect_anomalies(FE_L, method="pca", n_components=1)
    assert again.mask.data[phantom.truth.data].any()


def test_the_published_mode(trained: EELSAnomalySignal) -> None:
    found = trained.detect_anomalies(FE_L, score="pcc", threshold="otsu")
    threshold = otsu_threshold(found.pcc.data)
    assert found.threshold == threshold
    assert np.array_equal(found.mask.data, anomalous(found.pcc.data, threshold))


@pytest.mark.filterwarnings("error")
def test_a_mean_that_explains_as_much_is_named() -> None:
    signal = bifeo3((24, 24), 160, offset=690, structure=UNIFORM, seed=2).signal
    signal.train_cvae(epochs=1)
    with pytest.warns(UserWarning, match="the mean spectrum .*explains? this spectrum image as"):
        signal.detect_anomalies(FE_L)
    signal.detect_anomalies(FE_L, method="pca")  # says nothing


def test_unknown_score(phantom: Phantom) -> None:
    """It is refused before anything is trained."""
    with pytest.raises(ValueError, match="score is 'rx': choose one of pcc, combined"):
        phantom.signal.detect_anomalies(FE_L, score="rx")  # type: ignore[arg-type]


def test_untrained_trains_first_and_says_so(
    phantom: Phantom, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = phantom.signal.inav[:8, :8]
    train = EELSAnomalySignal.train_cvae
    monkeypatch.setattr(
        EELSAnomalySignal, "train_cvae", lambda self, **kwds: train(self, epochs=1, **kwds)
    )
    with pytest.warns(UserWarning, match="training one with defaults first"):
        signal.detect_anomalies(method="cvae")
    signal.detect_anomalies(method="cvae")  # trained now
    with pytest.raises(ValueError, match=r"no trained 3D-CVAE: call s.train_cvae\(\) first"):
        phantom.signal.inav[:8, :8].cvae_reconstruct()


@pytest.mark.parametrize("discs", [0, 2])
def test_a_lazy_signal_is_judged_block_by_block(
    discs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hyperspy_cvae.blocks._BLOCK", 200_000)
    monkeypatch.setattr("hyperspy_cvae.blocks._IN_MEMORY", 1)
    monkeypatch.setattr("hyperspy_cvae.reconstruction._shardwise._TILE", 600_000)
    phantom = uniform((60, 50), discs)
    phantom.signal.data[3, 4, 10:20] = np.nan
    eager = phantom.signal
    model = eager.train_cvae(epochs=3)
    lazy = eager.as_lazy()
    lazy.data = lazy.data.rechunk((17, 23, 50))
    one, other = (each.detect_anomalies(model=model) for each in (eager, lazy))
    np.testing.assert_array_equal(one.mask.data, other.mask.data)
    assert bool(one.mask.data.any()) == bool(discs)
    np.testing.assert_allclose(one.score.data, other.score.data, atol=0.1)
    np.testing.assert_allclose(one.pcc.data, other.pcc.data, atol=1e-5)
    np.testing.assert_allclose(one.image.data, other.image.data, rtol=1e-6)
    assert one.threshold.value == other.threshold.value
    assert one.regions.pixels.tolist() == other.regions.pixels.tolist()


def test_output_is_lazy_if_asked_for(trained: EELSAnomalySignal) -> None:
    lazy = trained.cvae_reconstruct(lazy_output=True)
    eager = trained.as_lazy().cvae_reconstruct(lazy_output=False)
    assert type(lazy) is LazyEELSAnomalySignal
    assert type(eager) is EELSAnomalySignal
    np.testing.assert_allclose(lazy.data.compute(), eager.data, rtol=1e-4)
    assert lazy.metadata.General.title == eager.metadata.General.title


def test_survives_deepcopy_lazy_and_compute(trained: EELSAnomalySignal, found: AnomalyMaps) -> None:
    copy = trained.deepcopy()
    assert type(copy) is EELSAnomalySignal
    assert same(copy.detect_anomalies(FE_L, score="pcc", threshold=0.8), found)
    lazy = trained.as_lazy()
    assert type(lazy) is LazyEELSAnomalySignal
    assert same(lazy.detect_anomalies(FE_L, score="pcc", threshold=0.8), found)
    assert type(lazy.cvae_reconstruct()) is LazyEELSAnomalySignal
    lazy.compute()
    assert type(lazy) is EELSAnomalySignal
    assert same(lazy.detect_anomalies(FE_L, score="pcc", threshold=0.8), found)


def test_sliced_as_pca_is(trained: EELSAnomalySignal) -> None:
    signal = trained.deepcopy()
    signal.decomposition(print_info=False)
    assert signal.learning_results.cvae is not None
    part = signal.inav[:10]
    assert type(part) is EELSAnomalySignal
    assert part.learning_results.factors is None
    assert not hasattr(part.learning_results, "cvae")


@pytest.mark.parametrize("extension", ["hspy", "zspy"])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.filterwarnings("ignore::FutureWarning")  # of zarr 2, which .zspy needs
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_file_round_trip(
    trained: EELSAnomalySignal, found: AnomalyMaps, tmp_path: Path, extension: str, lazy: bool
) -> None:
    trained.save(tmp_path / f"SI.{extension}")
    loaded = hs.load(tmp_path / f"SI.{extension}", lazy=lazy)
    assert type(loaded) is (LazyEELSAnomalySignal if lazy else EELSAnomalySignal)
    assert same(loaded.detect_anomalies(FE_L, score="pcc", threshold=0.8), found)
    found.pcc.save(tmp_path / f"pcc.{extension}")
    found.mask.save(tmp_path / f"mask.{extension}")
    pcc, mask = (hs.load(tmp_path / f"{name}.{extension}") for name in ("pcc", "mask"))
    assert np.array_equal(pcc.data, found.pcc.data)
    assert np.array_equal(mask.data, found.mask.data)
    assert mask.data.dtype == bool
    assert pcc.metadata.CVAE.Threshold.value == 0.8
    assert pcc.axes_manager.signal_axes[0].units == "nm"


def test_user_data_is_left_alone(phantom: Phantom) -> None:
    signal = phantom.signal.inav[:10, :9].deepcopy()
    signal.decomposition(print_info=False)
    before, factors = signal.data.copy(), signal.learning_results.factors.copy()
    metadata = signal.metadata.as_dictionary()
    signal.train_cvae(epochs=1)
    signal.cvae_reconstruct()
    signal.detect_anomalies(FE_L)
    signal.detect_anomalies(FE_L, method="pca", n_components=2)
    assert np.array_equal(signal.data, before)
    assert np.array_equal(signal.learning_results.factors, factors)
    assert signal.metadata.as_dictionary() == metadata


@pytest.mark.parametrize("n_components", [1, 3, 4, 5])
def test_pca_is_the_decomposition(phantom: Phantom, n_components: int) -> None:
    found = phantom.signal.detect_anomalies(FE_L, method="pca", n_components=n_components)
    signal = phantom.signal.deepcopy()
    signal.decomposition(print_info=False, svd_solver="full")
    model = signal.get_decomposition_model(n_components).isig[690.0:730.0].data[3, 4]
    counts = signal.isig[690.0:730.0].data[3, 4]
    assert found.pcc.data[3, 4] == pytest.approx(np.corrcoef(model, counts)[0, 1], abs=2e-3)
    assert f"PCA with {n_components} component" in str(found)


@pytest.mark.parametrize(
    "convert",
    [
        lambda data: data.astype(">i4"),
        lambda data: data.astype("uint16"),
        lambda data: data.astype(">f8"),
        lambda data: data - 20,
    ],
    ids=["big-endian", "unsigned", "double", "negative"],
)
def test_any_counts(phantom: Phantom, convert: object) -> None:
    signal = phantom.signal.inav[:9, :9]._deepcopy_with_new_data(
        convert(np.maximum(phantom.signal.inav[:9, :9].data, 0))  # type: ignore[operator]
    )
    signal.train_cvae(epochs=1)
    assert np.isfinite(signal.detect_anomalies(FE_L).pcc.data).all()


def test_gaps_dead_channels_and_empty_pixels(phantom: Phantom) -> None:
    signal = phantom.signal.inav[:12, :12].deepcopy()
    signal.data[2, 3] = 0
    signal.data[4, 5] = np.nan
    signal.data[6, 7, 50] = np.nan
    signal.data[..., 30] = np.nan
    signal.train_cvae(epochs=1)
    found = signal.detect_anomalies(FE_L)
    assert np.argwhere(np.isnan(found.pcc.data)).tolist() == [[2, 3], [4, 5]]
    assert "not judged      2 pixels" in str(found)
    assert np.isnan(signal.cvae_reconstruct().data[..., 30]).all()
    assert not np.isnan(signal.detect_anomalies(FE_L, method="pca").pcc.data[0]).any()


def test_masks_exclude_as_in_hyperspy(phantom: Phantom) -> None:
    signal = phantom.signal.inav[:12, :10].deepcopy()
    image = signal.sum(-1)  # navigation 12 x 10
    bright = image > float(np.median(image.data))
    array = bright.data.T  # in navigation order (12, 10)
    signal.train_cvae(epochs=1, navigation_mask=bright)
    excluded = [
        np.isnan(signal.detect_anomalies(FE_L, navigation_mask=mask).pcc.data)
        for mask in (bright, array, bright.T if isinstance(bright.T, BaseSignal) else bright)
    ]
    assert all(np.array_equal(mask, bright.data) for mask in excluded)
    with pytest.raises(ValueError, match=r"navigation_mask has the shape \(10, 12\)"):
        signal.detect_anomalies(navigation_mask=array.T)
    with pytest.raises(ValueError, match="navigation_mask excludes everything"):
        signal.detect_anomalies(navigation_mask=np.ones((12, 10), bool))
    with pytest.raises(ValueError, match="navigation_mask is of dtype float"):
        signal.train_cvae(navigation_mask=np.ones((12, 10)))
    channels = np.zeros(160, bool)
    channels[40:60] = True
    full = signal.detect_anomalies(FE_L)
    assert not same(signal.detect_anomalies(FE_L, signal_mask=channels), full)


def test_trained_on_a_range(phantom: Phantom) -> None:
    signal = phantom.signal.inav[:9, :9].deepcopy()
    signal.train_cvae(epochs=1, signal_range=(695.0, 725.0))
    energy = signal.axes_manager.signal_axes[0].axis
    missing = np.isnan(signal.cvae_reconstruct().data).all((0, 1))
    assert np.array_equal(missing, ~((energy > 694.99) & (energy < 725.01)))
    assert signal.detect_anomalies().signal_range == pytest.approx((695.0, 725.0), abs=0.3)
    with pytest.raises(ValueError, match="outside what the model has learnt"):
        signal.detect_anomalies((727.0, 735.0))


def test_line_scan() -> None:
    line = bifeo3((1, 100), 120, offset=690, seed=4).signal.inav[:, 0]
    line.train_cvae(epochs=1)
    found = line.detect_anomalies()
    assert type(found.pcc) is Signal1D
    assert found.pcc.axes_manager.signal_shape == (100,)
    assert line.cvae_reconstruct().data.shape == (100, 120)
    found.plot()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda s: s.inav[0, 0], "is a single spectrum"),
        (lambda s: hs.stack([s, s]), "has 3 navigation axes"),
        (lambda s: s._deepcopy_with_new_data(s.data * 0 + 3), "data is 3 everywhere"),
        (lambda s: s._deepcopy_with_new_data(s.data * np.nan), "0 spectra"),
    ],
)
def test_what_is_no_scan_is_refused(phantom: Phantom, make: object, sentence: str) -> None:
    signal = make(phantom.signal.inav[:8, :8])  # type: ignore[operator]
    signal.set_signal_type("EELSAnomaly")
    with pytest.raises(ValueError, match=sentence):
        signal.train_cvae(epochs=1)


def test_bad_parameters_are_named(trained: EELSAnomalySignal) -> None:
    with pytest.raises(ValueError, match=r"signal_range \(100, 200\) lies outside the energy axis"):
        trained.detect_anomalies((100, 200))
    with pytest.raises(ValueError, match="method is 'magic': choose one of 'auto', 'cvae', "):
        trained.detect_anomalies(method="magic")
    with pytest.raises(ValueError, match="threshold is 'best'"):
        trained.detect_anomalies(threshold="best")
    with pytest.raises(ValueError, match="network 'tiny' is unknown"):
        trained.train_cvae("tiny")
    with pytest.raises(TypeError, match="'learning' is no setting of the training"):
        trained.train_cvae(learning=1)
    with pytest.raises(ValueError, match="n_components is 0"):
        trained.detect_anomalies(method="pca", n_components=0)
    with pytest.raises(ValueError, match="leaves 3 channels to compare"):
        trained.detect_anomalies((700.0, 701.0))


def test_a_model_for_another_spectrum_image(
    trained: EELSAnomalySignal, phantom: Phantom, tmp_path: Path
) -> None:
    trained.train_cvae(epochs=1).save(tmp_path / "model.safetensors")
    model = CVAE.load(tmp_path / "model.safetensors")
    other = bifeo3((16, 30), 180, offset=688, dispersion=0.28, seed=9).signal
    found = other.detect_anomalies(FE_L, model=model)
    assert found.pcc.data.shape == (16, 30)
    assert np.isfinite(found.pcc.data).all()
    assert not hasattr(other.learning_results, "cvae")
    far = bifeo3((16, 30), 180, offset=400, seed=9).signal
    with pytest.raises(ValueError, match="does not reach as far"):
        far.detect_anomalies(model=model)


def test_everything_of_exspy_works(trained: EELSAnomalySignal) -> None:
    signal = trained.deepcopy()
    signal.add_elements(["Fe"])
    signal = signal.remove_background(
        signal_range=(690.0, 700.0), background_type="PowerLaw", fast=True
    )
    assert isinstance(signal, EELSAnomalySignal)
    assert isinstance(signal, exspy.signals.EELSSpectrum)
    signal.create_model(auto_background=False, auto_add_edges=False)


def test_loading_dm4(tmp_path: Path, phantom: Phantom) -> None:
    path = tmp_path / "SI.dm4"
    data = phantom.signal.inav[:10, :9].data
    nm = DMAxis(0.05, 0.0, "nm")
    survey = DMImage(data.sum(-1), "Survey", (nm, nm))
    axes = (nm, nm, DMAxis(0.25, 690.0, "eV"))
    write_dm4(path, [survey, DMImage(data, "SI", axes, signal="EELS")])
    image, signal = hyperspy_cvae.load(path)
    assert type(image) is Signal2D
    assert type(signal) is EELSAnomalySignal
    signal.train_cvae(epochs=1)
    found = signal.detect_anomalies()
    paths = found.save(tmp_path / "maps", "SI")
    ends = ("-pcc.hspy", "-mask.hspy", "-combined.hspy", "-regions.csv", ".png")
    assert [path.name for path in paths] == [f"SI{end}" for end in ends]
    assert all(path.stat().st_size > 0 for path in paths)
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        found.save(tmp_path / "maps", "SI")
    with pytest.raises(ValueError, match="signal_type 'EELS' was given"):
        hyperspy_cvae.load(path, signal_type="EELS")


@pytest.mark.parametrize("module", ["hyperspy.api", "hyperspy_cvae"])
def test_importing_needs_no_torch(module: str) -> None:
    code = f"import {module}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_interrupted_training_keeps_the_best_and_says_so(
    phantom: Phantom, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hyperspy_cvae.networks import CompactNetwork

    forward, calls = CompactNetwork.forward, []

    def interrupted(self: CompactNetwork, *arguments: object) -> object:
        calls.append(None)
        if len(calls) > 40:
            raise KeyboardInterrupt
        return forward(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(CompactNetwork, "forward", interrupted)
    signal = phantom.signal.deepcopy()
    with pytest.warns(UserWarning, match="interrupted in epoch .* are kept"):
        signal.train_cvae(epochs=100)
    monkeypatch.undo()
    assert np.isfinite(signal.detect_anomalies(FE_L).pcc.data).all()
