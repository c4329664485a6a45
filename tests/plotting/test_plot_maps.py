"""Figures: what they show of maps and lines, also of those with nothing to show."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from hyperspy_cvae.detection import Threshold, anomalous, fixed_threshold, otsu_threshold
from hyperspy_cvae.plotting import plot_comparison, plot_maps


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def scores(shape: tuple[int, ...], anomaly: bool = True) -> np.ndarray:
    pcc = 0.925 - np.abs(np.random.default_rng(3).normal(0, 0.02, shape))
    if anomaly:
        pcc[..., 2:5] -= 0.3
    return pcc


def draw(pcc: np.ndarray, threshold: Threshold | None = None, **options: object) -> Figure:
    threshold = threshold or otsu_threshold(pcc)
    image = np.arange(pcc.size, dtype=float).reshape(pcc.shape)
    figure = plot_maps(image, pcc, anomalous(pcc, threshold), threshold, **options)
    return figure


def texts(figure: Figure) -> str:
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    return "\n".join(found + [axes.get_title() for axes in figure.axes])


def outline(figure: Figure, axes: int = 1) -> set[tuple[tuple[float, ...], ...]]:
    """Return the drawn borders, each as its two ends, whichever is first."""
    return {
        tuple(sorted(tuple(point) for point in segment))
        for lines in figure.axes[axes].collections
        if isinstance(lines, LineCollection)
        for segment in lines.get_segments()
    }


def test_outline_follows_the_borders_of_pixels() -> None:
    pcc = np.full((4, 5), 0.9)
    pcc[1, 2] = pcc[3, 4] = 0.1
    figure = draw(pcc, fixed_threshold(0.5), scale=(0.5, 0.25), units="nm")

    def square(row: int, column: int) -> set[tuple[tuple[float, float], tuple[float, float]]]:
        top, bottom, left, right = row * 0.5, row * 0.5 + 0.5, column * 0.25, column * 0.25 + 0.25
        return {
            ((left, top), (right, top)),
            ((left, bottom), (right, bottom)),
            ((left, top), (left, bottom)),
            ((right, top), (right, bottom)),
        }

    # The second is at the corner of the map.
    assert outline(figure) == square(1, 2) | square(3, 4)


def test_map_is_calibrated() -> None:
    figure = draw(scores((20, 30)), scale=(0.5, 0.25), units="nm")
    for axes in figure.axes[:2]:
        assert tuple(axes.images[0].get_extent()) == (0.0, 7.5, 10.0, 0.0)
        assert axes.get_aspect() == 1


@pytest.mark.parametrize(
    ("step", "units", "expected"),
    [
        (0.05, "nm", "0.2 nm"),
        (0.5, "nm", "2 nm"),
        (2.0, "um", "10 µm"),
        (1.7, "A", "10 Å"),
        (0.5, "", "5 px"),
        (0.5, "s", "5 px"),
        (0.5, "<undefined>", "5 px"),
        (np.nan, "nm", "5 px"),
    ],
)
def test_scale_bar_has_a_round_length(step: float, units: str, expected: str) -> None:
    figure = draw(scores((20, 20)), scale=(step, step), units=units)
    assert expected in texts(figure).splitlines()
    (bar,) = figure.axes[0].patches
    length = float(expected.split()[0])
    assert bar.get_width() == pytest.approx(length)


def test_scale_bar_of_few_pixels_is_a_whole_one() -> None:
    assert "1 px" in texts(draw(scores((3, 3), anomaly=False))).splitlines()


def test_colour_bar_and_share() -> None:
    figure = draw(
        scores((16, 20)), fixed_threshold(0.75), title="Oxide", signal_range_label="690-730 eV"
    )
    assert figure.axes[3].get_ylabel() == "PCC"
    assert figure.get_suptitle() == "Oxide"
    assert "PCC, 690-730 eV" in texts(figure)
    assert "48 of 320 pixels anomalous (15 %)" in texts(figure)


def test_accepted_threshold_is_a_solid_line() -> None:
    pcc = scores((16, 20))
    figure = draw(pcc)
    (line,) = figure.axes[2].lines
    assert line.get_xdata()[0] == otsu_threshold(pcc).value
    assert line.get_linestyle() == "-"
    assert "Otsu's threshold" in texts(figure)


def test_threshold_of_ones_own_is_not_called_otsus() -> None:
    assert "threshold 0.7" in texts(draw(scores((16, 20)), fixed_threshold(0.7))).splitlines()


def test_refused_threshold_is_dashed_and_says_why() -> None:
    figure = draw(scores((30, 30), anomaly=False))
    (line,) = figure.axes[2].lines
    assert line.get_linestyle() == "--"
    assert "no threshold: no valley" in texts(figure)
    assert "none of 900 pixels anomalous" in texts(figure)
    assert not outline(figure)


def test_two_phases_are_not_called_one_mode() -> None:
    pcc = scores((30, 30), anomaly=False)
    pcc[:, :12] -= 0.3
    assert "no threshold: too many pixels below" in texts(draw(pcc))


def test_too_few_pixels() -> None:
    assert "no threshold: too few pixels" in texts(draw(scores((3, 4), anomaly=False)))


def test_constant_pcc() -> None:
    figure = draw(np.full((8, 9), 0.5))
    figure.canvas.draw()
    assert "no threshold: all pixels are equal" in texts(figure)
    low, high = figure.axes[1].images[0].get_clim()
    assert low < 0.5 < high


@pytest.mark.parametrize("shape", [(8, 9), (1, 9), (9, 1), (1, 1)])
def test_nothing_judged(shape: tuple[int, int]) -> None:
    figure = draw(np.full(shape, np.nan))
    figure.canvas.draw()
    assert "no pixel judged" in texts(figure)


def test_pixels_not_judged_are_told_apart() -> None:
    pcc = scores((16, 20))
    pcc[3] = np.nan
    figure = draw(pcc)
    assert "not judged" in figure.axes[1].get_xlabel()
    assert figure.axes[1].images[0].get_array().mask[3].all()
    assert "of 300 pixels" in texts(figure)


def test_everything_anomalous() -> None:
    figure = draw(scores((8, 10)), fixed_threshold(2.0))
    assert "80 of 80 pixels anomalous (1e+02 %)" not in texts(figure)
    assert "80 of 80 pixels anomalous (100 %)" in texts(figure)


@pytest.mark.parametrize("shape", [(1, 60), (60, 1), (60,)])
def test_line_is_drawn_over_its_position(shape: tuple[int, ...]) -> None:
    pcc = scores((60,)).reshape(shape)
    step = (0.4, 9.0) if shape == (60, 1) else (9.0, 0.4)
    figure = draw(pcc, fixed_threshold(0.75), scale=step, units="nm")
    counts, _, profile = figure.axes
    np.testing.assert_allclose(counts.lines[0].get_xdata(), 0.4 * np.arange(60))
    np.testing.assert_array_equal(profile.lines[0].get_ydata(), pcc.ravel())
    assert profile.get_xlabel() == "Position (nm)"
    (span,) = profile.patches
    assert span.get_x() == pytest.approx(1.5 * 0.4)
    assert span.get_width() == pytest.approx(3 * 0.4)


@pytest.mark.parametrize("shape", [(6, 49), (49, 6), (2, 90), (90, 2)])
def test_long_scans(shape: tuple[int, int]) -> None:
    figure = draw(scores(shape))
    figure.canvas.draw()
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1


def test_title_may_hold_what_matplotlib_takes_for_mathematics() -> None:
    title = "run $1 of $2 {x"
    figure = draw(scores((8, 9)), title=title)
    figure.canvas.draw()
    assert figure.get_suptitle() == title


def test_arrays_of_different_scans() -> None:
    pcc = scores((8, 9))
    with pytest.raises(ValueError, match=r"score has the shape \(8, 9\), but image has \(9, 8\)"):
        plot_maps(pcc.T, pcc, pcc < 0.5, fixed_threshold(0.5))


def test_quantity_is_what_is_written() -> None:
    figure = draw(scores((8, 9)), quantity="Combined score", signal_range_label="690-730 eV")
    titles = [axes.get_title() for axes in figure.axes]
    assert "Combined score, 690-730 eV" in titles
    labels = {axes.get_xlabel() for axes in figure.axes} | {a.get_ylabel() for a in figure.axes}
    assert "Combined score" in labels
    assert "PCC" not in labels


def test_no_pixels() -> None:
    empty = np.empty((0, 4))
    with pytest.raises(ValueError, match=r"image has the shape \(0, 4\)"):
        plot_maps(empty, empty, empty > 0, fixed_threshold(0.5))


class TestComparison:
    @pytest.mark.parametrize("shape", [(16, 20), (1, 60)])
    @pytest.mark.parametrize("has_truth", [True, False])
    def test_one_colour_scale(self, shape: tuple[int, int], has_truth: bool) -> None:
        pcc, clean = scores(shape), scores(shape, anomaly=False)
        limit, refused = otsu_threshold(pcc), otsu_threshold(clean)
        truth = anomalous(pcc, limit) if has_truth else None
        figure = plot_comparison(
            [
                ("CVAE", pcc, anomalous(pcc, limit), limit),
                ("PCA", clean, anomalous(clean, refused), refused),
            ],
            truth,
            scale=(0.5, 0.5),
            units="nm",
        )
        figure.canvas.draw()
        assert figure.axes[0].get_title().startswith("CVAE\n")
        assert figure.axes[1].get_title() == f"PCA\nnone of {clean.size} pixels anomalous"
        if shape[0] > 1:
            first, second = (axes.images[0].get_clim() for axes in figure.axes[:2])
            assert first == second
            assert bool(outline(figure, 1)) == has_truth

    def test_no_panel(self) -> None:
        with pytest.raises(ValueError, match="panels is empty"):
            plot_comparison([])

    def test_truth_of_another_scan(self) -> None:
        pcc = scores((16, 20))
        limit = otsu_threshold(pcc)
        with pytest.raises(ValueError, match="truth has the shape"):
            plot_comparison([("CVAE", pcc, anomalous(pcc, limit), limit)], np.zeros((4, 4), bool))


@pytest.mark.parametrize("shape", [(8, 9), (1, 30)])
def test_hits_are_marked_where_they_are(shape: tuple[int, int]) -> None:
    score = np.random.default_rng(0).normal(size=shape)
    hits = np.zeros(shape, bool)
    hits[shape[0] // 3, 4 if shape[0] > 1 else 14] = True
    threshold = fixed_threshold(-9.0)
    figure = plot_maps(
        score,
        score,
        score < -9,
        threshold,
        scale=(0.5, 0.5),
        units="nm",
        artefacts={"X-ray hit": hits},
    )
    (marks,) = [
        line for axes in figure.axes for line in axes.lines if line.get_label() == "X-ray hit"
    ]
    x, y = marks.get_xydata()[0]
    if shape[0] > 1:
        assert (x, y) == (0.5 * 4.5, 0.5 * 2.5)
    else:
        assert (x, y) == (0.5 * 14, score[0, 14])
    plain = plot_maps(score, score, score < -9, threshold, artefacts={"X-ray hit": ~hits & hits})
    assert all(line.get_label() != "X-ray hit" for axes in plain.axes for line in axes.lines)
    plt.close("all")


def test_kinds_are_named_where_there_are_two() -> None:
    score = np.random.default_rng(0).normal(size=(20, 24))
    labels = np.zeros(score.shape, int)
    labels[3:5, 4:7], labels[0:2, 22:24], labels[17:20, 0:2] = 1, 2, 3
    threshold = fixed_threshold(-9.0)

    def letters(kinds: list[str]) -> list[str]:
        figure = plot_maps(score, score, labels > 0, threshold, labels=labels, kinds=kinds)
        return [text.get_text() for text in figure.axes[1].texts if len(text.get_text()) == 1]

    assert letters(["A", "B", "A"]) == ["A", "B", "A"]
    assert letters(["A", "A", "A"]) == []
    assert letters(["A", "", ""]) == []
    plt.close("all")
