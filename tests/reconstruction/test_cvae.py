"""The 3D-CVAE as a reconstructor."""

from dataclasses import replace
from pathlib import Path

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
import pytest

from hyperspy_cvae import modelfile
from hyperspy_cvae.modelfile import ModelFileError
from hyperspy_cvae.networks import CompactConfig, PaperConfig
from hyperspy_cvae.phantoms import bifeo3
from hyperspy_cvae.reconstruction import CVAE, CVAEConfig, EnergyAxis
from hyperspy_cvae.training import TrainingConfig, TrainingError

AXIS = EnergyAxis(690.0, 0.5, 64, "eV")
BRIEF = CVAEConfig(training=TrainingConfig(epochs=2), network=CompactConfig(latent=6))


@pytest.fixture(scope="module")
def cube() -> np.ndarray:
    return bifeo3((20, 18), channels=64, offset=690, dispersion=0.5, seed=3).signal.data


@pytest.fixture(scope="module")
def model(cube: np.ndarray) -> CVAE:
    return CVAE(BRIEF, "cpu").fit(cube, axis=AXIS)


@pytest.mark.parametrize(
    "shape", [(1, 100), (16, 16), (34, 34), (49, 6), (45, 22), (5, 7), (1, 3), (2, 1)]
)
@pytest.mark.parametrize("channels", [64, 65])
def test_every_pixel_of_any_scan_gets_a_value(shape: tuple[int, int], channels: int) -> None:
    cube = bifeo3(shape, channels=channels, offset=690, seed=1).signal.data
    spectra = CVAE(replace(BRIEF, training=TrainingConfig(epochs=1)), "cpu").fit(cube)
    found = spectra.reconstruct(cube)
    assert found.shape == cube.shape
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(-1), cube.sum(-1), rtol=1e-3)


@pytest.mark.parametrize("channels", [100, 4096])
def test_any_number_of_channels(channels: int) -> None:
    cube = bifeo3((8, 9), channels=channels, offset=500, seed=1).signal.data
    found = CVAE(replace(BRIEF, training=TrainingConfig(epochs=1)), "cpu").fit(cube)
    assert np.isfinite(found.reconstruct(cube)).all()


@pytest.mark.parametrize("axis", [AXIS, EnergyAxis(689.9, 0.51, 64, "eV")])
def test_block_by_block_it_is_the_same(axis: EnergyAxis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hyperspy_cvae.blocks._BLOCK", 40_000)
    monkeypatch.setattr("hyperspy_cvae.blocks._IN_MEMORY", 1)
    monkeypatch.setattr("hyperspy_cvae.reconstruction._shardwise._TILE", 200_000)
    cube = bifeo3((61, 50), channels=64, offset=690, dispersion=0.5, seed=3).signal.data
    channels = np.arange(64) != 5
    model = CVAE(BRIEF, "cpu").fit(cube, channels=channels, axis=AXIS)
    cube[20:27, 12:19, 30:50] = cube[20:27, 12:19, 49:29:-1] * 2
    lazy = da.from_array(cube, chunks=(13, 22, 30))
    found, expected = model.reconstruct(lazy, axis), model.reconstruct(cube, axis)
    assert isinstance(found, da.Array)
    np.testing.assert_allclose(found.compute(), expected, rtol=1e-3, atol=1e-3)
    model.config = replace(model.config, second_look=False)
    assert not np.allclose(
        found.compute(), model.reconstruct(cube, axis), rtol=1e-3, equal_nan=True
    )


def test_training_reads_what_it_needs_from_disk(cube: np.ndarray) -> None:
    lazy = da.from_array(cube, chunks=(7, 8, 30))
    one, other = (CVAE(BRIEF, "cpu").fit(each) for each in (cube, lazy))
    assert one.history is not None
    assert other.history is not None
    np.testing.assert_allclose(
        one.history.cross_entropy, other.history.cross_entropy, rtol=1e-3, atol=1e-5
    )
    np.testing.assert_allclose(one.reconstruct(cube), other.reconstruct(cube), rtol=1e-2)


def test_no_seams_at_the_borders_of_shards() -> None:
    """Steps between neighbouring pixels are no larger where a shard ends than elsewhere."""
    cube = bifeo3((48, 48), channels=64, offset=690, seed=5).signal.data
    model = CVAE(replace(BRIEF, training=TrainingConfig(epochs=3)), "cpu").fit(cube)
    assert model.shape == (24, 24)
    spectra = model.reconstruct(cube)
    spectra = spectra / spectra.sum(-1, keepdims=True)
    steps = np.sqrt(((spectra[:, 1:] - spectra[:, :-1]) ** 2).sum(-1)).mean(0)
    ends = np.array([11, 23, 35])  # between pixels 11 and 12, and so on
    assert steps[ends].max() < 1.3 * np.median(np.delete(steps, ends)) + steps.std()


@pytest.mark.parametrize("margin", [-0.1, 0.6, np.nan])
def test_a_margin_of_more_than_half_a_shard_is_an_error(margin: float) -> None:
    with pytest.raises(ValueError, match=r"margin is .*a fraction from 0 to 0.5 is needed"):
        CVAEConfig(margin=margin)


def test_the_border_of_a_scan_fits_as_well_as_its_middle() -> None:
    """Of a drifting scan, whose first row is like no other."""
    phantom = bifeo3((48, 24), channels=100, offset=690, dispersion=0.5, seed=7)
    cube = phantom.signal.data
    wrong = {}
    for margin in (0.0, 0.25):
        training = TrainingConfig(epochs=24, steps_per_epoch=32, left_out=0.0)
        config = replace(BRIEF, training=training, correction=False, margin=margin)
        spectra = CVAE(config, "cpu").fit(cube).reconstruct(cube)
        misfit = np.square(spectra - phantom.bulk.data).mean(-1) / phantom.bulk.data.mean(-1)
        wrong[margin] = misfit[[0, -1]].mean() / misfit[16:32].mean()
    assert wrong[0.25] < 0.6 * wrong[0.0]


def test_nothing_is_changed_in_place(cube: np.ndarray) -> None:
    before = cube.copy()
    CVAE(replace(BRIEF, training=TrainingConfig(epochs=1)), "cpu").fit(cube).reconstruct(cube)
    assert np.array_equal(cube, before)


def test_same_seed_same_reconstruction(cube: np.ndarray, model: CVAE) -> None:
    again = CVAE(BRIEF, "cpu").fit(cube, axis=AXIS)
    other = CVAE(replace(BRIEF, seed=1), "cpu").fit(cube, axis=AXIS)
    assert np.array_equal(again.reconstruct(cube), model.reconstruct(cube))
    assert not np.array_equal(other.reconstruct(cube), model.reconstruct(cube))


def test_channels_left_out_are_nan(cube: np.ndarray) -> None:
    channels = np.ones(64, bool)
    channels[[0, 20, 21]] = False
    model = CVAE(BRIEF, "cpu").fit(cube, channels=channels)
    found = model.reconstruct(cube)
    assert np.array_equal(np.isnan(found).all((0, 1)), ~channels)
    assert np.isfinite(found[..., channels]).all()


def test_file_round_trip(model: CVAE, cube: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    loaded = CVAE.load(path, "cpu")
    assert loaded.config == model.config
    assert loaded.axis == model.axis
    assert loaded.history == model.history
    assert loaded.describe() == model.describe()
    assert np.array_equal(loaded.reconstruct(cube), model.reconstruct(cube))
    assert loaded.to_bytes() == model.to_bytes()


def test_history_of_a_loaded_model_is_drawn(model: CVAE) -> None:
    CVAE.from_bytes(model.to_bytes()).plot_history()
    assert plt.gcf().get_suptitle() == "Training of 2 epochs: all epochs done"
    plt.close()
    with pytest.raises(ValueError, match="not trained yet"):
        CVAE(BRIEF).plot_history()


def test_a_description_that_fits_no_network(model: CVAE, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    arrays, description = modelfile.read(tmp_path / "model.safetensors")
    for spoil in (
        {"config": {**description["config"], "network": {"name": "huge"}}},
        {"config": {**description["config"], "shard_size": "many"}},
        {"shape": [8]},
        {"shape": [8, 9]},
        {"versions": {}},
    ):
        path = tmp_path / "spoiled.safetensors"
        modelfile.write(path, arrays, {**description, **spoil}, overwrite=True)
        with pytest.raises(ModelFileError, match="does not describe a network of this version"):
            CVAE.load(path)
    del arrays["channels"]
    modelfile.write(path, arrays, description, overwrite=True)
    with pytest.raises(ModelFileError, match="does not describe"):
        CVAE.load(path)


def test_another_axis_is_resampled(model: CVAE) -> None:
    other = bifeo3((20, 18), channels=120, offset=688, dispersion=0.4, seed=3).signal.data
    axis = EnergyAxis(688.0, 0.4, 120, "eV")
    found = model.reconstruct(other, axis)
    assert found.shape == other.shape
    inside = axis.inside(AXIS)
    assert 0 < inside.sum() < 120
    assert np.array_equal(np.isfinite(found).all((0, 1)), inside)


def test_what_does_not_fit_is_refused(model: CVAE, cube: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not trained yet"):
        CVAE(BRIEF).reconstruct(cube)
    with pytest.raises(ValueError, match="has 30 channels, but the model was trained on 64"):
        model.reconstruct(cube[..., :30])
    with pytest.raises(ValueError, match="scan of 3 x 18 pixels is smaller than the shards of 8"):
        model.reconstruct(cube[:3])
    with pytest.raises(ValueError, match=r"energy axis is 690-721.5 eV.*is 100-131.5 eV"):
        model.reconstruct(cube, EnergyAxis(100.0, 0.5, 64, "eV"))
    with pytest.raises(TrainingError, match="device 'abacus' cannot be used"):
        CVAE(BRIEF, "abacus")
    with pytest.raises(ValueError, match="shard_size is 0"):
        CVAEConfig(shard_size=0)
    with pytest.raises(ValueError, match=r"overlap is 1.0"):
        CVAEConfig(overlap=1.0)


def test_too_little_memory_is_told_before_the_start(
    cube: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1e9))
    wide = np.tile(cube, (2, 2, 20))
    with pytest.raises(
        TrainingError, match=r"paper network .* needs about \d+ GiB of memory, but 1"
    ):
        CVAE(CVAEConfig(network=PaperConfig()), "cpu").fit(wide)


def test_hours_are_told_before_the_start() -> None:
    import torch

    from hyperspy_cvae.training import PAPER_TRAINING, check_cost, estimate_cost

    size, device, scan = (24, 24, 1312), torch.device("cpu"), (192, 192)
    memory, hours = estimate_cost(size, PaperConfig(), PAPER_TRAINING, device, scan)
    assert 15e9 < memory < 25e9
    assert 5 < hours < 500
    _, brief = estimate_cost(size, CompactConfig(), TrainingConfig(), device, scan)
    assert brief < 0.2
    if hours > 12 and memory < 5e10:
        with (
            pytest.raises(TrainingError, match="GiB")
            if _lacks(memory)
            else pytest.warns(UserWarning, match="will take about")
        ):
            check_cost(size, PaperConfig(), PAPER_TRAINING, device, scan)


def _lacks(memory: float) -> bool:
    import psutil

    return memory > psutil.virtual_memory().available
