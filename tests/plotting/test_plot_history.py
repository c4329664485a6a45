"""The figure of a training, however short it was."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

from hyperspy_cvae.plotting import plot_history
from hyperspy_cvae.training import History


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def curves(axes: Axes) -> list[tuple[list[float], list[float]]]:
    """Return the epochs and values of each line that is not upright."""
    lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
    return [(x, y) for x, y in lines if x and not (len(x) == 2 and x[0] == x[1])]


def labels(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_line_is_broken_where_channels_are_no_longer_summed_up() -> None:
    history = History([3.0, 2.0, 5.0, 4.0], [1, 2, 3, 4], best_epoch=4, summed_epochs=2)
    loss, divergence = plot_history(history).axes
    assert curves(loss) == [([1, 2], [3, 2]), ([3, 4], [5, 4])]
    assert curves(divergence) == [([1, 2], [1, 2]), ([3, 4], [3, 4])]
    upright = [line.get_xdata()[0] for line in loss.lines if line.get_linestyle() == "--"]
    assert upright == [2.5]
    assert "from here on channels are not summed up" in labels(loss)


@pytest.mark.parametrize("summed", [0, 5])
def test_nothing_is_marked_where_nothing_changed(summed: int) -> None:
    """Also of a training that was interrupted before it would have."""
    history = History([3.0, 2.0], [1, 2], best_epoch=2, summed_epochs=summed)
    loss = plot_history(history).axes[0]
    assert curves(loss) == [([1, 2], [3, 2])]
    assert labels(loss) == ["shards of the training", "epoch 2, whose weights are kept"]


def test_held_out_tiles_and_the_epoch_that_is_kept() -> None:
    """Of a training that was interrupted before it looked at the tiles of its last epoch."""
    history = History([3.0, 2.0, 1.0], [30.0, 20.0, 15.0], [3.0, 2.5], 2, "interrupted")
    figure = plot_history(history)
    loss, divergence = figure.axes
    assert curves(loss) == [([1, 2, 3], [3, 2, 1]), ([1, 2], [3, 2.5])]
    assert labels(loss)[1:] == ["held-out tiles", "epoch 2, whose weights are kept"]
    assert divergence.get_title() == "Divergence, 20 nats in epoch 2"
    assert figure.get_suptitle() == "Training of 3 epochs: interrupted"


@pytest.mark.parametrize(("lowest", "scale"), [(1e-2, "log"), (0.5, "linear"), (-1e-3, "linear")])
def test_a_loss_over_decades_is_drawn_over_a_logarithm(lowest: float, scale: str) -> None:
    losses = np.linspace(1.0, lowest, 5).tolist()
    assert plot_history(History(losses, [1.0] * 5, best_epoch=5)).axes[0].get_yscale() == scale


def test_one_epoch_of_a_collapsed_network() -> None:
    figure = plot_history(History([0.1], [0.0], best_epoch=1, stopped="all epochs done"))
    assert figure.get_suptitle() == "Training of 1 epoch: all epochs done"
    assert figure.axes[1].get_xlim() == (0.5, 1.5)
    figure.canvas.draw()
