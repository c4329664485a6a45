"""The figure of how alike shards are to the network."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection

from hyperspy_cvae.plotting import plot_latent_similarity


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_the_title_tells_the_diagonal() -> None:
    similarity = np.array([[0.9, 0.2, 0.1], [0.3, 0.6, 0.7], [0.0, 0.0, 1.0]])
    figure = plot_latent_similarity(similarity, "Oxide")
    assert figure.axes[0].get_title() == (
        "On the diagonal, each shard and its counterpart: 0.600 to 1.000\n"
        "The counterpart is the most similar of all for 2 of 3 shards"
    )
    assert figure.get_suptitle() == "Oxide"
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), similarity)


@pytest.mark.parametrize(("count", "outlined"), [(8, True), (300, False)])
def test_the_diagonal_is_outlined_where_it_can_be_seen(count: int, outlined: bool) -> None:
    axes = plot_latent_similarity(np.eye(count)).axes[0]
    assert any(isinstance(each, LineCollection) for each in axes.collections) == outlined


def test_shards_are_numbered_in_their_middle() -> None:
    axes = plot_latent_similarity(np.eye(3)).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "1", "2"]
    assert axes.get_xticks().tolist() == [0.5, 1.5, 2.5]


def test_a_single_shard() -> None:
    figure = plot_latent_similarity(np.ones((1, 1)))
    figure.canvas.draw()
    assert "for 1 of 1 shards" in figure.axes[0].get_title()


@pytest.mark.parametrize("shape", [(2, 3), (0, 0)])
def test_shards_without_counterparts_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="as many shards of both are needed"):
        plot_latent_similarity(np.zeros(shape))
