"""The figure of one region."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from hyperspy_cvae.detection import Edge, Explanation, explain_difference
from hyperspy_cvae.plotting import plot_region

ENERGY = np.arange(690.0, 740.0, 0.25)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def iron(maximum: float) -> np.ndarray:
    return 1000 + 500 / (1 + (ENERGY - maximum) ** 2)


def draw(measured: np.ndarray, sigma: float = 10.0, **options: object) -> Figure:
    error = np.full(ENERGY.size, sigma)
    figure = plot_region(explain_difference(ENERGY, measured, iron(712), error, 0.25), **options)
    figure.canvas.draw()
    return figure


def test_difference_is_between_the_spectra_drawn_above() -> None:
    figure = draw(1.5 * iron(713), title="Region 1")
    above, below = figure.axes
    measured, bulk = (line.get_ydata() for line in above.lines[:2])
    np.testing.assert_allclose(bulk.sum(), measured.sum())
    difference, _, explained = (line.get_ydata() for line in below.lines[:3])
    np.testing.assert_allclose(difference, measured - bulk)
    np.testing.assert_allclose(explained, difference, atol=15)
    first, second, *_ = figure.get_suptitle().splitlines()
    assert first == "Region 1"
    assert second.startswith("maximum 1.000 ± 0.0")
    assert below.get_xlabel() == "Energy loss (eV)"
    assert above.get_ylabel() == "Counts per pixel"
    assert below.get_ylabel() == "Measured - bulk"
    labels = [[text.get_text() for text in each.get_legend().get_texts()] for each in figure.axes]
    assert labels == [
        ["measured", "bulk, scaled to the counts"],
        ["± 2 standard errors", "explained"],
    ]


def test_names_of_edges_do_not_overlap_and_stay_in_the_figure() -> None:
    names = {"Fe_L3": 708.0, "Fe_L2": 709.0, "F_K": 690.5, "Cs_M5": 710.0, "Cs_M4": 738.0}
    figure = draw(iron(713), edges=[Edge(*each) for each in (*names.items(), ("O_K", 532.0))])
    texts = figure.axes[0].texts
    assert {text.get_text() for text in texts} == {name.replace("_", " ") for name in names}
    boxes = [text.get_window_extent() for text in texts]
    for number, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[number + 1 :])
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_edges_of_an_axis_in_other_units() -> None:
    flat = np.full(ENERGY.size, 10.0)
    unknown = Explanation((), None, ENERGY / 1000, flat, flat, flat, flat)
    figure = plot_region(unknown, edges=[Edge("Fe_L3", 708.0)], ev=1000.0, units="keV")
    assert figure.axes[0].lines[-1].get_xdata()[0] == pytest.approx(0.708)
    assert figure.axes[1].get_xlabel() == "Energy loss (keV)"


def test_nothing_stands_out_and_nothing_is_known() -> None:
    figure = draw(iron(712))
    assert "no single change stands out" in figure.get_suptitle()
    assert "explained" not in {line.get_label() for line in figure.axes[1].lines}
    figure = draw(iron(712), sigma=np.nan)
    assert "cannot be told" in figure.get_suptitle()


def test_long_sentences_stay_in_the_figure() -> None:
    figure = draw(iron(713), title="Region 1 " * 30)
    box = figure._suptitle.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
