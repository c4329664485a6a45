"""The figure of how well spectra are reconstructed, beside PCA."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest

from hyperspy_cvae.detection import ReconstructionQuality
from hyperspy_cvae.plotting import plot_reconstruction_quality


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_what_is_drawn() -> None:
    ratio = np.geomspace(0.9, 1e-6, 40)
    quality = ReconstructionQuality(ratio, np.array([2.0, 1.3, 1.1]), 1.2)
    figure = plot_reconstruction_quality(quality, title="Oxide", signal_range_label="690-730 eV")
    scree, misfit = figure.axes
    np.testing.assert_array_equal(scree.lines[0].get_ydata(), ratio[:30])
    pca, network, noise = misfit.lines
    np.testing.assert_array_equal(pca.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(pca.get_ydata(), quality.pca)
    assert network.get_ydata()[0] == 1.2
    assert noise.get_ydata()[0] == 1
    assert misfit.get_title() == "Misfit to a second recording, 690-730 eV"
    verdict = "the 3D-CVAE is better than PCA with 2 components, but not than with 3"
    assert figure.get_suptitle() == f"Oxide: {verdict}"


@pytest.mark.parametrize(("first", "scale"), [(2.0, "linear"), (200.0, "log")])
def test_a_large_misfit_is_drawn_over_a_logarithm(first: float, scale: str) -> None:
    quality = ReconstructionQuality(np.array([1.0, 0.0]), np.array([first, 1.1]), 1.2)
    figure = plot_reconstruction_quality(quality)
    assert figure.axes[1].get_yscale() == scale
    figure.canvas.draw()
