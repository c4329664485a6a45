"""Latent vectors as a signal: where they are, and how similar those of two scans are."""

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hyperspy.axes import DataAxis

from hyperspy_cvae import CVAE, EELSAnomalySignal, LazyEELSAnomalySignal
from hyperspy_cvae.phantoms import PeakShift, bifeo3
from hyperspy_cvae.reconstruction import EnergyAxis
from hyperspy_cvae.reconstruction._energy import resample
from hyperspy_cvae.signals._latent import latent_similarity

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def signal() -> EELSAnomalySignal:
    """Its shards are of 8 x 8 pixels, four of which overlap in 30 columns, three in 22 rows."""
    made = bifeo3((22, 30), 160, offset=690, seed=4).signal
    made.axes_manager[0].offset, made.axes_manager[1].scale = 3.0, 0.1
    return made


@pytest.fixture(scope="module")
def model(signal: EELSAnomalySignal) -> CVAE:
    return signal.train_cvae(epochs=1, latent=6, device="cpu")


def test_latent_vectors_lie_at_the_centres_of_their_shards(
    signal: EELSAnomalySignal, model: CVAE
) -> None:
    latent = signal.cvae_latent()
    assert latent.axes_manager.shape == (4, 3, 6)
    assert latent.metadata.General.title == "Latent vectors of BiFeO3 phantom"
    first = {"x": [0, 7, 15, 22], "y": [0, 7, 14]}
    for axis in latent.axes_manager.navigation_axes:
        pixels = signal.axes_manager[axis.name]
        centres = [pixels.axis[start : start + 8].mean() for start in first[axis.name]]
        assert axis.is_uniform
        assert axis.units == "nm"
        np.testing.assert_allclose(axis.axis[[0, -1]], [centres[0], centres[-1]])
        assert np.abs(axis.axis - centres).max() <= pixels.scale / 2


def test_a_latent_vector_is_that_of_the_shard(signal: EELSAnomalySignal, model: CVAE) -> None:
    latent = signal.cvae_latent(model)
    alone = signal.inav[15:23, 7:15].cvae_latent(model)
    assert alone.axes_manager.shape == (1, 1, 6)
    np.testing.assert_allclose(alone.data[0, 0], latent.data[1, 2], rtol=1e-4, atol=1e-5)
    for axis, centre in zip(
        alone.axes_manager.navigation_axes, (3 + 18.5 * 0.05, 1.05), strict=True
    ):
        assert axis.offset == pytest.approx(centre)
        assert axis.scale == pytest.approx(8 * signal.axes_manager[axis.name].scale)


def test_latent_vectors_can_be_decomposed_and_drawn(signal: EELSAnomalySignal, model: CVAE) -> None:
    latent = signal.cvae_latent(model)
    latent.decomposition(print_info=False)
    latent.plot()
    latent.T.plot()
    plt.close("all")


def test_latent_vectors_of_a_lazy_signal(signal: EELSAnomalySignal, model: CVAE) -> None:
    lazy = signal.as_lazy()
    lazy.data = da.rechunk(lazy.data, (9, 10, 20))
    assert isinstance(lazy, LazyEELSAnomalySignal)
    np.testing.assert_allclose(
        lazy.cvae_latent(model).data, signal.cvae_latent(model).data, rtol=1e-5, atol=1e-5
    )


def test_latent_vectors_of_a_line_scan(model: CVAE) -> None:
    line = bifeo3((1, 40), 160, offset=690).signal.inav[:, 0]
    own = line.train_cvae(epochs=1, latent=6, device="cpu")
    latent = line.cvae_latent()
    assert own.shape == (1, 16)
    assert latent.axes_manager.shape == (3, 6)
    np.testing.assert_allclose(latent.axes_manager[0].axis, 0.05 * np.array([7.5, 19.5, 31.5]))
    with pytest.raises(ValueError, match="scan of 1 x 40 pixels is smaller than the shards"):
        line.cvae_latent(model)


def test_latent_vectors_on_an_axis_that_is_not_uniform(
    signal: EELSAnomalySignal, model: CVAE
) -> None:
    uneven = signal.deepcopy()
    places = np.arange(30.0) ** 2
    uneven.axes_manager._axes[1] = DataAxis(axis=places, name="x", units="nm", navigate=True)
    axis = uneven.cvae_latent(model).axes_manager[0]
    assert not axis.is_uniform
    np.testing.assert_allclose(axis.axis[[0, -1]], [(9 + 16) / 2, (625 + 676) / 2])


def test_latent_vectors_of_spectra_on_another_energy_axis(
    signal: EELSAnomalySignal, model: CVAE
) -> None:
    own, other = EnergyAxis(690.0, 0.3, 160), EnergyAxis(690.0, 0.2, 240)
    axes = list(signal.axes_manager.as_dictionary().values())
    axes[-1] |= {"scale": other.scale, "size": other.size}
    finer = EELSAnomalySignal(resample(signal.data, own, other), axes=axes)
    found, expected = (each.cvae_latent(model).data for each in (finer, signal))
    assert np.abs(found - expected).mean() < 0.2 * np.abs(expected).mean()
    with pytest.raises(ValueError, match="does not reach as far"):
        signal.isig[:30].cvae_latent(model)


def test_similarity_is_the_cosine(signal: EELSAnomalySignal, model: CVAE) -> None:
    anomaly = PeakShift(3.0, radius=2, discs=2)
    other = bifeo3((22, 30), 160, offset=690, seed=4, anomaly=anomaly).signal
    one, another = (
        each.cvae_latent(model).data.reshape(12, 6).astype(float) for each in (signal, other)
    )
    lengths = np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(another, axis=1))
    found = latent_similarity(signal, other, model)
    np.testing.assert_allclose(found, one @ another.T / lengths, rtol=1e-4, atol=1e-5)


def test_every_shard_is_like_itself(
    signal: EELSAnomalySignal, model: CVAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = latent_similarity(signal, signal, model)
    assert every.shape == (12, 12)
    np.testing.assert_allclose(np.diagonal(every), 1, rtol=1e-5)
    np.testing.assert_allclose(every, every.T, rtol=1e-5)
    monkeypatch.setattr("hyperspy_cvae.signals._latent._MOST_SHARDS", 5)
    fewer = latent_similarity(signal, signal, model)
    assert fewer.shape == (5, 5)
    np.testing.assert_allclose(np.diagonal(fewer), 1, rtol=1e-5)


def test_figure_5(signal: EELSAnomalySignal, model: CVAE) -> None:
    before = signal.data.copy()
    signal.plot_latent_similarity(signal)
    axes = plt.gcf().axes[0]
    assert "each shard and its counterpart: 1.000 to 1.000" in axes.get_title()
    assert "for 12 of 12 shards" in axes.get_title()
    assert plt.gcf().get_suptitle() == "BiFeO3 phantom"
    np.testing.assert_array_equal(signal.data, before)
    plt.close()


def test_what_has_no_latent_vectors_is_explained(signal: EELSAnomalySignal, model: CVAE) -> None:
    untrained = signal.deepcopy()
    del untrained.learning_results.cvae
    with pytest.raises(ValueError, match=r"has no trained 3D-CVAE: call s.train_cvae\(\) first"):
        untrained.cvae_latent()
    with pytest.raises(ValueError, match=r"other has a scan of \(20, 22\) pixels.*\(30, 22\)"):
        signal.plot_latent_similarity(signal.inav[:20])
