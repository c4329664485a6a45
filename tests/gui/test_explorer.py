"""Exploring: the spectra are those of what the frame covers."""

from collections.abc import Iterator
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import MouseButton, MouseEvent

from hyperspy_cvae import AnomalyMaps
from hyperspy_cvae.gui import Explorer
from hyperspy_cvae.phantoms import UNIFORM, PeakShift, bifeo3

FE_L = (690.0, 730.0)


@pytest.fixture(scope="module")
def found() -> AnomalyMaps:
    anomaly = PeakShift(3.0, discs=2, radius=3)
    phantom = bifeo3((36, 32), 160, offset=690, structure=UNIFORM, anomaly=anomaly, seed=2)
    return phantom.signal.detect_anomalies(FE_L, method="pca", n_components=1)


@pytest.fixture
def view(found: AnomalyMaps) -> Iterator[Explorer]:
    yield found.explore()
    plt.close("all")


def drawn(view: Explorer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The curves: measured, bulk, residual."""
    above, below = (axes for axes in view.figure.axes if axes.get_ylabel() in LABELS)
    measured, bulk = (line.get_ydata() for line in above.lines)
    return measured, bulk, below.lines[0].get_ydata()


LABELS = ("Counts per pixel", "Measured - bulk")


def title(view: Explorer) -> str:
    return next(axes.get_title() for axes in view.figure.axes if axes.get_ylabel() == LABELS[0])


def put(view: Explorer, columns: tuple[int, int], rows: tuple[int, int]) -> None:
    """Put the frame around pixels, from the first to before the last."""
    (left, right), (top, bottom) = (0.05 * np.array(each) for each in (columns, rows))
    view.roi.trait_setq(left=left, right=right, top=top, bottom=bottom)
    view.roi.update()


def press(view: Explorer, x: float, y: float) -> None:
    """Press the mouse and release it."""
    canvas = view.figure.canvas
    for name in ("button_press_event", "button_release_event"):
        canvas.callbacks.process(name, MouseEvent(name, canvas, x, y, MouseButton.LEFT))


def click(view: Explorer, column: float, row: float) -> None:
    """Click into the map at a pixel."""
    axes = view._map._plot.signal_plot.ax
    scale = view._map.axes_manager[0].scale
    press(view, *axes.transData.transform((column * scale, row * scale)))


def test_the_first_region_is_shown_first(view: Explorer, found: AnomalyMaps) -> None:
    signal, pixels = found.comparison.signal, found.region_mask(1)
    inside = signal.axes_manager[-1].axis <= 730.01
    measured, bulk, residual = drawn(view)
    np.testing.assert_allclose(measured, signal.data[pixels].mean(0)[inside], rtol=1e-6)
    expected = found.comparison.bulk.data[pixels].mean(0)[inside]
    np.testing.assert_allclose(bulk, expected, rtol=1e-6)
    np.testing.assert_allclose(residual, measured - bulk, atol=1e-4)
    assert title(view).startswith("Region 1 of 2")
    rows, columns = np.nonzero(pixels)
    frame = (columns.min(), columns.max() + 1, rows.min(), rows.max() + 1)
    np.testing.assert_allclose(tuple(view.roi), 0.05 * np.array(frame), atol=1e-9)


def test_the_spectra_follow_the_roi(view: Explorer, found: AnomalyMaps) -> None:
    signal = found.comparison.signal
    put(view, columns=(4, 9), rows=(5, 7))
    assert view.region == 0
    assert title(view) == "5 x 2 pixels around x = 0.3 nm, y = 0.275 nm"
    inside = signal.axes_manager[-1].axis <= 730.01
    expected = signal.data[5:7, 4:9].mean((0, 1))[inside]
    np.testing.assert_allclose(drawn(view)[0], expected, rtol=1e-6)


def test_a_click_moves_the_frame(view: Explorer, found: AnomalyMaps) -> None:
    signal = found.comparison.signal
    put(view, columns=(0, 3), rows=(0, 3))
    click(view, 20, 10)
    inside = signal.axes_manager[-1].axis <= 730.01
    expected = signal.data[9:12, 19:22].mean((0, 1))[inside]
    np.testing.assert_allclose(drawn(view)[0], expected, rtol=1e-6)
    click(view, 0, 0)  # at the corner it stays inside
    np.testing.assert_allclose(tuple(view.roi), (0, 0.15, 0, 0.15), atol=1e-9)


def test_from_region_to_region(view: Explorer) -> None:
    previous, following = view._buttons
    for button, region in ((following, 2), (following, 1), (previous, 2), (previous, 1)):
        press(view, *button.ax.transAxes.transform((0.5, 0.5)))
        assert view.region == region
        assert title(view).startswith(f"Region {region} of 2")
    with pytest.raises(ValueError, match="region is 3: choose one of 1 to 2"):
        view.go(3)


def test_only_judged_pixels_are_shown() -> None:
    signal = bifeo3((24, 24), 160, offset=690, structure=UNIFORM, anomaly=None, seed=2).signal
    signal.data[:12, :12] = np.nan
    excluded = np.zeros((24, 24), bool)
    excluded[12:, :12] = True
    found = signal.detect_anomalies(
        FE_L, method="pca", n_components=1, navigation_mask=excluded.T, threshold=-1000.0
    )
    view = found.explore()
    inside = signal.axes_manager[-1].axis <= 730.01
    put(view, columns=(10, 14), rows=(4, 6))
    expected = signal.data[4:6, 12:14].mean((0, 1))[inside]
    np.testing.assert_allclose(drawn(view)[0], expected, rtol=1e-6)
    for rows in ((2, 5), (15, 18)):
        put(view, columns=(2, 5), rows=rows)
        assert title(view).endswith("not judged")
        assert np.isnan(drawn(view)).all()
    put(view, columns=(14, 18), rows=(4, 6))
    assert np.isfinite(drawn(view)).all()
    plt.close("all")


def test_what_is_decided_later_does_not_change_an_open_figure(found: AnomalyMaps) -> None:
    found = replace(found, mask=found.mask.deepcopy())
    view = found.explore()
    found.decide(-1e6, signal_range=(700.0, 720.0))
    view._step(1)
    assert title(view).startswith("Region 2 of 2")
    assert drawn(view)[0].size == 134
    plt.close("all")


def test_exploring_changes_nothing(found: AnomalyMaps) -> None:
    before = found.score.data.copy(), str(found.score.metadata)
    found.explore().go(2)
    plt.close("all")
    np.testing.assert_array_equal(found.score.data, before[0])
    assert str(found.score.metadata) == before[1]
    assert found.score._plot is None


def test_the_band_is_two_standard_errors_of_the_mean(view: Explorer, found: AnomalyMaps) -> None:
    put(view, columns=(0, 6), rows=(20, 26))
    below = next(axes for axes in view.figure.axes if axes.get_ylabel() == LABELS[1])
    band = below.collections[0].get_paths()[0].vertices[:, 1]
    residual = found.comparison.signal.data - found.comparison.bulk.data
    inside = found.comparison.signal.axes_manager[-1].axis <= 730.01
    deviation = residual[~found.mask.data][:, inside].std(0)
    assert np.abs(band).mean() == pytest.approx(2 * deviation.mean() / np.sqrt(36), rel=0.15)


@pytest.mark.parametrize("anomaly", [None, PeakShift(3.0, discs=1, radius=3)])
def test_lines_and_clean_scans(anomaly: PeakShift | None) -> None:
    phantom = bifeo3((8, 80), 160, offset=690, structure=UNIFORM, anomaly=anomaly, seed=2)
    line = phantom.signal.inav[:, 4]
    found = line.detect_anomalies(FE_L, method="pca", n_components=1)
    view = found.explore()
    view.roi.right = 0.05 * 75
    view.roi.left = 0.05 * 70
    inside = line.axes_manager[-1].axis <= 730.01
    np.testing.assert_allclose(drawn(view)[0], line.data[70:75].mean(0)[inside], rtol=1e-6)
    plt.close("all")
