"""The quality of a reconstruction, asked of a signal."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from hyperspy_cvae import CVAE, EELSAnomalySignal
from hyperspy_cvae.phantoms import bifeo3

pytestmark = pytest.mark.usefixtures("one_thread")
FE_L = (690.0, 730.0)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def signal() -> EELSAnomalySignal:
    return bifeo3((24, 20), 160, offset=690, seed=2).signal


@pytest.fixture(scope="module")
def model(signal: EELSAnomalySignal) -> CVAE:
    return signal.train_cvae(epochs=2, device="cpu")


def drawn(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(line.get_ydata()) for axes in figure.axes for line in axes.lines]


def test_scree_is_hyperspys_and_the_users_decomposition_stays(
    signal: EELSAnomalySignal, model: CVAE
) -> None:
    own = signal.deepcopy()
    own.decomposition(svd_solver="full", print_info=False)
    ratio = own.learning_results.explained_variance_ratio.copy()
    own.learning_results.factors = factors = own.learning_results.factors[:, :3]
    own.plot_reconstruction_quality(FE_L, n_components=4)
    np.testing.assert_allclose(drawn(plt.gcf())[0], ratio[:30], rtol=1e-3)
    assert own.learning_results.factors is factors
    np.testing.assert_array_equal(own.data, signal.data)
    assert plt.gcf().axes[1].get_title().endswith("690-729.9 eV")
    assert plt.gcf().get_suptitle().startswith("BiFeO3 phantom: the 3D-CVAE is ")


def test_of_a_lazy_signal(signal: EELSAnomalySignal, model: CVAE) -> None:
    signal.plot_reconstruction_quality(FE_L, model=model, n_components=4)
    one = drawn(plt.gcf())
    signal.as_lazy().plot_reconstruction_quality(FE_L, model=model, n_components=4)
    for each, other in zip(one, drawn(plt.gcf()), strict=True):
        np.testing.assert_allclose(each, other, rtol=1e-3)


def test_what_is_excluded_does_not_count(signal: EELSAnomalySignal, model: CVAE) -> None:
    pixels, channels = np.zeros((24, 20), bool), np.zeros(160, bool)
    pixels[:3], channels[20:30] = True, True
    broken = signal.deepcopy()
    broken.data[:3] *= np.linspace(0, 3, 160, dtype=np.float32)
    masks = {"navigation_mask": pixels.T, "signal_mask": channels, "n_components": 3}
    broken.plot_reconstruction_quality(model=model, **masks)
    with_masks = drawn(plt.gcf())[1]
    broken.plot_reconstruction_quality(model=model, n_components=3)
    assert drawn(plt.gcf())[1][0] > 1.05 * with_masks[0]


def test_what_cannot_be_asked_is_explained(signal: EELSAnomalySignal, model: CVAE) -> None:
    untrained = signal.deepcopy()
    del untrained.learning_results.cvae
    with pytest.raises(ValueError, match="has no trained 3D-CVAE"):
        untrained.plot_reconstruction_quality()
    with pytest.raises(ValueError, match="n_components is 0, but at least 1 is needed"):
        signal.plot_reconstruction_quality(model=model, n_components=0)
    with pytest.raises(ValueError, match=r"signal_range \(100, 200\) lies outside"):
        signal.plot_reconstruction_quality((100.0, 200.0), model=model)
