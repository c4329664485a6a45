"""Figures of what is found over the size of anomalies."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest

from hyperspy_cvae.detection import anomalous, fixed_threshold
from hyperspy_cvae.plotting import FoundShares, plot_detection_limit, plot_detectors

SIZES = np.array([0.3, 0.6, 1.2, 2.4])


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def curve(name: str, limit: float) -> FoundShares:
    return FoundShares(name, SIZES, np.array([0, 0.2, 0.6, 1]), np.array([0.1, 0.3, 0.8, 1]), limit)


def test_limits_are_marked_where_there_are_some() -> None:
    curves = [curve("0.2 %", np.nan), curve("1 %", 1.2)]
    figure = plot_detection_limit(curves, size_label="Shift (eV)", title="run $1 of $2 {x")
    figure.canvas.draw()
    left, right = figure.axes
    upright = [line for line in left.lines if list(line.get_ydata()) == [0, 1]]
    assert [line.get_xdata()[0] for line in upright] == [1.2]
    assert left.get_xscale() == right.get_xscale() == "log"
    assert [text.get_text() for text in left.get_xticklabels()] == ["0.3", "0.6", "1.2", "2.4"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0.2 %", "1 %"]


def test_one_size_and_size_zero() -> None:
    for sizes in ([0.0, 1.0], [0.5]):
        shares = np.zeros(len(sizes))
        one = FoundShares("1 %", np.array(sizes), shares, shares, np.nan)
        figure = plot_detection_limit([one], size_label="Shift (eV)")
        figure.canvas.draw()
        assert figure.axes[0].get_xscale() == "linear"


@pytest.mark.parametrize("shape", [(20, 24), (1, 60), (60,), (8, 90)])
def test_every_detector_has_a_map_and_a_line(shape: tuple[int, ...]) -> None:
    names = ["3D-CVAE", "PCA-3", "mean", "tile median"]
    threshold = fixed_threshold(-2.0)
    score = -np.abs(np.random.default_rng(0).normal(size=shape))
    panels = [(name, score, anomalous(score, threshold), threshold) for name in names]
    figure = plot_detectors(panels, [curve(name, 1.2) for name in names], scale=(0.5, 0.5))
    figure.canvas.draw()
    titles = [axes.get_title().split("\n")[0] for axes in figure.axes]
    assert titles[:4] == names
    *_, found, precision = figure.axes
    assert [line.get_label() for line in found.lines[::2]] == names
    assert len({line.get_marker() for line in precision.lines}) == len(names)
