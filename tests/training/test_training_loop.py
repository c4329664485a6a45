"""Training: what is learnt, what is not, when it stops, and what it leaves behind."""

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hyperspy_cvae.networks import CVAENetwork, build_network, network_config
from hyperspy_cvae.shards import shard_size
from hyperspy_cvae.training import (
    PAPER_TRAINING,
    History,
    Outliers,
    TrainingConfig,
    TrainingError,
    cross_entropy,
    entropy,
    train,
)
from hyperspy_cvae.training._shards import Shards

pytestmark = pytest.mark.usefixtures("one_thread")

CHANNELS = 32
ENERGY = np.arange(CHANNELS)
SHORT = TrainingConfig(steps_per_epoch=8, batch_size=4, patience=100)
STILL = {"learning_rate": 0.0, "hidden_learning_rate": 0.0}
BRIEF = replace(SHORT, epochs=3, left_out=0.0)
STOPPABLE = replace(BRIEF, schedule="plateau")


def _peak(centre: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((ENERGY - centre) / width) ** 2)


def _expected(rows: int, columns: int, contrast: float) -> np.ndarray:
    """Normalised spectra of two domains that differ in the height of a peak."""
    side = np.where(np.arange(columns) < columns // 2, 1.0, -1.0)
    spectra = np.exp(-ENERGY / 20) + 0.5 * (ENERGY > 12)
    cube = spectra + contrast * side[:, np.newaxis] * _peak(18, 2)
    return np.tile(cube / cube.sum(-1, keepdims=True), (rows, 1, 1))


def _counts(expected: np.ndarray, dose: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(dose * expected).astype(np.float32)


@pytest.fixture
def cube() -> np.ndarray:
    return _counts(_expected(16, 16, 0.15), 3000)


def _network(
    cube: np.ndarray, name: str = "compact", latent: int = 8
) -> tuple[CVAENetwork, tuple[int, int]]:
    shape = shard_size(cube.shape[0]), shard_size(cube.shape[1])
    return build_network((*shape, cube.shape[2]), network_config(name, latent=latent)), shape


def _train(
    cube: np.ndarray,
    config: TrainingConfig,
    *,
    seed: int = 0,
    use: np.ndarray | None = None,
    latent: int = 8,
) -> tuple[CVAENetwork, History]:
    network, shape = _network(cube, latent=latent)
    use = np.ones(cube.shape[:2], dtype=bool) if use is None else use
    return network, train(network, cube, use, config, shape=shape, seed=seed)


def _reconstruct(network: CVAENetwork, cube: np.ndarray, size: int = 8) -> np.ndarray:
    spectra = np.empty(cube.shape)
    with torch.no_grad():
        for row in range(0, cube.shape[0], size):
            for column in range(0, cube.shape[1], size):
                region = np.s_[row : row + size, column : column + size]
                shard = torch.from_numpy(cube[region].copy())[None]
                spectra[region] = torch.softmax(network(shard)[0][0], -1).numpy()
    return spectra


def _divergence(expected: np.ndarray, model: np.ndarray) -> float:
    """Mean Kullback-Leibler divergence of a model from the expected spectra, in nats."""
    return float((expected * np.log(expected / model)).sum(-1).mean())


def _weights(network: CVAENetwork) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in network.state_dict().items()}


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


class _Watch:
    """A network's weights whenever its forward is called, and whenever it is evaluated."""

    def __init__(
        self, network: CVAENetwork, patch: pytest.MonkeyPatch, interrupt_at: float = math.inf
    ) -> None:
        self.called: list[dict[str, Tensor]] = []
        self.evaluated: list[dict[str, Tensor]] = []
        forward = network.forward

        def watched(intensities: Tensor, *random: object) -> tuple[Tensor, Tensor, Tensor]:
            self.called.append(_weights(network))
            if len(self.called) >= interrupt_at:
                raise KeyboardInterrupt
            if not network.training:
                self.evaluated.append(_weights(network))
            return forward(intensities, *random)

        patch.setattr(network, "forward", watched)


# What is learnt


def test_what_varies_in_the_bulk_is_learnt() -> None:
    expected = _expected(16, 16, 0.15)
    shares = []
    for seed in range(3):
        cube = _counts(expected, 30_000, seed)
        network, history = _train(cube, replace(SHORT, epochs=25), seed=seed)
        mean = cube.sum((0, 1), dtype=float) / cube.sum(dtype=float)
        assert history.divergence[-1] > 3
        found = _divergence(expected, _reconstruct(network, cube))
        shares.append(found / _divergence(expected, mean))
    assert np.mean(shares) < 0.25


def test_noise_is_not_copied() -> None:
    """Of one and the same spectrum everywhere a network has nothing to tell but noise."""
    expected = _expected(24, 24, 0)
    cube = _counts(expected, 1000)
    errors = []
    for strength in (0.0, 0.7):
        network, _ = _train(cube, replace(SHORT, epochs=30, recorruption=strength, left_out=0.0))
        errors.append(_divergence(expected, _reconstruct(network, cube)))
    assert errors[1] < 0.3 * errors[0]


def test_without_the_likelihood_weight_the_posterior_collapses() -> None:
    expected = _expected(16, 16, 0.15)
    cube = _counts(expected, 30_000)
    network, history = _train(cube, replace(SHORT, epochs=25, likelihood_weight=1.0))
    assert history.divergence[-1] < 0.1
    shards = torch.from_numpy(np.stack([cube[:8, :8], cube[8:, 8:], cube[4:12, 4:12]]))
    with torch.no_grad():
        latent = network.encode(shards)[0]
    assert latent.std(0).max() < 0.1


def test_the_automatic_likelihood_weight_is_the_median_dose(cube: np.ndarray) -> None:
    cube = cube * 10
    median = float(np.median(cube.sum(-1, dtype=float)))
    assert 1e4 < median < 1e6
    automatic, _ = _train(cube, BRIEF)
    explicit, _ = _train(cube, replace(BRIEF, likelihood_weight=median))
    assert _same(_weights(automatic), _weights(explicit))


@pytest.mark.parametrize(("scale", "weight"), [(0.01, 1e4), (1e4, 1e6)])
def test_the_automatic_likelihood_weight_has_limits(
    cube: np.ndarray, scale: float, weight: float
) -> None:
    cube = cube * np.float32(scale)
    automatic, _ = _train(cube, BRIEF)
    explicit, _ = _train(cube, replace(BRIEF, likelihood_weight=weight))
    assert _same(_weights(automatic), _weights(explicit))


def test_an_anomaly_among_the_worst_fitted_is_not_learnt() -> None:
    bulk = _expected(16, 16, 0.15)
    expected = bulk.copy()
    disc = np.s_[9:12, 3:6]  # 3.5 % of the scan
    expected[disc] += 0.5 * bulk.max() * _peak(7, 1.5)
    expected /= expected.sum(-1, keepdims=True)
    change = expected[disc] - bulk[disc]
    cube = _counts(expected, 30_000)

    def learnt(left_out: float) -> float:
        config = replace(SHORT, epochs=30, left_out=left_out)
        network, _ = _train(cube, config, latent=16)
        found = _reconstruct(network, cube)[disc] - bulk[disc]
        return float((found * change).sum() / (change**2).sum())

    all_in, worst_out = learnt(0.0), learnt(0.05)
    assert all_in > 0.1
    assert worst_out < 0.25 * all_in


def test_spectra_that_are_not_used_are_not_learnt() -> None:
    bulk = _expected(16, 16, 0.0)
    expected = bulk.copy()
    expected[:, 12:] += bulk.max() * _peak(7, 1.5)
    expected /= expected.sum(-1, keepdims=True)
    cube = _counts(expected, 30_000)
    use = np.ones((16, 16), dtype=bool)
    use[:, 12:] = False
    network, _ = _train(cube, replace(BRIEF, epochs=15), use=use)
    spectra = _reconstruct(network, cube)
    # Not even in the mean spectrum from which training starts.
    assert _divergence(bulk[:, :12], spectra[:, :12]) < 1e-3
    assert _divergence(bulk[:, 12:], spectra[:, 12:]) < 0.1 * _divergence(
        expected[:, 12:], bulk[:, 12:]
    )


def test_a_held_out_spectrum_is_not_learnt() -> None:
    """Of two pixels one is held out."""
    expected = np.stack([0.2 + _peak(8, 3), 0.2 + _peak(22, 3)])[:, np.newaxis]
    cube = _counts(expected / expected.sum(-1, keepdims=True), 30_000)
    _, history = _train(cube, replace(STOPPABLE, epochs=20))
    assert history.cross_entropy[-1] < 0.02
    assert history.held_out[-1] > 0.2


def test_the_network_is_told_the_bulk_that_is_used(
    cube: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, shape = _network(cube)
    told: list[tuple[Tensor, float]] = []
    monkeypatch.setattr(network, "adapt", lambda *bulk: told.append(bulk))
    use = np.ones((16, 16), dtype=bool)
    use[:, 9:] = False
    train(network, cube, use, replace(BRIEF, epochs=1), shape=shape)
    [(spectra, floor)] = told
    total = cube[use].astype(float).sum(-1)
    np.testing.assert_allclose(spectra.numpy(), cube[use] / total[:, np.newaxis], rtol=1e-4)
    assert floor == pytest.approx(0.05 * np.median(total))


def test_history_is_the_excess_of_the_training_shards(cube: np.ndarray) -> None:
    """With a learning rate of zero, the network stays; its excess can be looked up."""
    network, history = _train(cube, replace(STOPPABLE, **STILL, epochs=2, recorruption=0.0))
    shards = torch.from_numpy(cube)
    blocks = torch.stack(
        [shards[r : r + 8, c : c + 8] for r in range(0, 9, 2) for c in range(0, 9, 2)]
    )
    target = blocks / blocks.sum(-1, keepdim=True)
    with torch.no_grad():
        excess = (cross_entropy(target, network(blocks)[0]) - entropy(target)).mean().item()
    assert history.cross_entropy == pytest.approx([excess, excess], rel=0.15)
    assert history.held_out == pytest.approx([excess, excess], rel=0.3)
    assert history.held_out[0] == history.held_out[1]


def test_the_cross_entropy_in_the_history_is_free_of_the_divergence(cube: np.ndarray) -> None:
    config = replace(BRIEF, epochs=2, **STILL, likelihood_weight=1.0, warm_up=0.0)
    _, without = _train(cube, replace(config, beta=0.0))
    _, heavy = _train(cube, replace(config, beta=100.0))
    assert heavy.divergence == without.divergence
    assert 100 * heavy.divergence[0] / 64 > heavy.cross_entropy[0]
    assert heavy.cross_entropy == pytest.approx(without.cross_entropy, rel=1e-2)


def test_a_spectrum_almost_without_counts_weighs_almost_nothing(cube: np.ndarray) -> None:
    """With a learning rate of zero, the excess tells the weights."""
    config = replace(BRIEF, epochs=1, **STILL, likelihood_weight=1e4)
    _, full = _train(cube, config)
    sparse = cube.copy()
    sparse[::2, ::2] = 0
    sparse[::2, ::2, 5] = 3  # of about 3000; as a full spectrum, several nats off
    _, found = _train(sparse, config)
    assert found.cross_entropy[0] - full.cross_entropy[0] < 0.01


# Reproducibility and side effects


def test_the_same_seed_gives_the_same_network(cube: np.ndarray) -> None:
    (one, first), (same, second), (other, third) = (
        _train(cube, BRIEF, seed=seed) for seed in (4, 4, 5)
    )
    assert first == second
    assert _same(_weights(one), _weights(same))
    assert first.cross_entropy != third.cross_entropy
    assert not _same(_weights(one), _weights(other))


def test_steps_follow_the_pixels_that_are_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    cube = _counts(_expected(60, 60, 0.15), 3000)
    use, shown = np.zeros((60, 60), bool), []
    use[:10, :10] = True
    network, shape = _network(cube)
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda *shards: shown.append(1) or forward(*shards))
    train(network, cube, use, replace(BRIEF, steps_per_epoch=None), shape=shape)
    assert len(shown) == 3 * 4


def test_the_number_of_threads_does_not_matter(cube: np.ndarray) -> None:
    weights = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        network, shape = _network(cube)
        train(network, cube, np.ones(cube.shape[:2], bool), BRIEF, shape=shape)
        assert torch.get_num_threads() == threads
        weights.append(torch.cat([each.detach().ravel() for each in network.parameters()]))
    torch.set_num_threads(1)
    assert torch.equal(*weights)


def test_the_weights_a_network_was_built_with_do_not_matter(cube: np.ndarray) -> None:
    torch.manual_seed(1)
    one, _ = _train(cube, BRIEF)
    torch.manual_seed(2)
    other, _ = _train(cube, BRIEF)
    assert _same(_weights(one), _weights(other))


def test_random_numbers_of_the_user_are_not_touched(cube: np.ndarray) -> None:
    network, shape = _network(cube)
    of_torch, of_numpy = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train(network, cube, np.ones((16, 16), dtype=bool), BRIEF, shape=shape, seed=3)
    assert torch.equal(torch.get_rng_state(), of_torch)
    np.testing.assert_array_equal(np.random.get_state()[1], of_numpy)  # noqa: NPY002


def test_the_input_is_left_as_it_is(cube: np.ndarray) -> None:
    use = np.ones((16, 16), dtype=bool)
    use[3, 4] = False
    before = cube.copy(), use.copy()
    _train(cube, replace(BRIEF, left_out=0.1), use=use)
    np.testing.assert_array_equal(cube, before[0])
    np.testing.assert_array_equal(use, before[1])


def test_the_network_is_ready_to_reconstruct(cube: np.ndarray) -> None:
    network, history = _train(cube, BRIEF)
    assert not network.training
    assert history.stopped == "all epochs done"
    assert len(history.cross_entropy) == len(history.divergence) == history.best_epoch == 3
    assert history.held_out == []


def test_no_progress_bar_unless_wanted(
    cube: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    _train(cube, replace(BRIEF, epochs=1))
    assert capsys.readouterr() == ("", "")
    network, shape = _network(cube)
    use = np.ones((16, 16), dtype=bool)
    train(network, cube, use, replace(BRIEF, epochs=1), shape=shape, show_progressbar=True)
    assert "1/1" in capsys.readouterr().err


def test_the_progress_bar_tells_the_loss_and_the_time_left(
    cube: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    network, shape = _network(cube)
    config = replace(STOPPABLE, epochs=30, **STILL, patience=8)
    use = np.ones((16, 16), dtype=bool)
    history = train(network, cube, use, config, shape=shape, show_progressbar=True)
    bar = capsys.readouterr().err
    # Of quick epochs the bar shows some.
    shown = re.findall(r"(\d+)/30 \[\d\d:\d\d<\d\d:\d\d,.*?CE - H ([\d.e-]+), KL", bar)
    assert shown
    for epoch, loss in shown:
        assert loss == f"{history.cross_entropy[int(epoch) - 1]:.3g}"
    assert f"held out {history.held_out[-1]:.3g}" in bar
    assert bar.rstrip().rsplit("\r", 1)[-1].startswith("Training the 3D-CVAE: 100%")


# When it stops


def test_training_stops_when_held_out_tiles_no_longer_improve(cube: np.ndarray) -> None:
    _, history = _train(cube, replace(STOPPABLE, epochs=30, **STILL, patience=4))
    assert history.best_epoch == 1
    assert len(history.held_out) == 1 + 4
    assert history.stopped == "no improvement on held-out tiles for 4 epochs"


def test_the_best_weights_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing but noise: what is learnt of the training spectra makes the held-out ones worse.
    cube = _counts(_expected(16, 16, 0.0), 300, seed=1)
    network, shape = _network(cube)
    watch = _Watch(network, monkeypatch)
    config = replace(STOPPABLE, epochs=12, learning_rate=1e-2, likelihood_weight=1e6)
    use = np.ones((16, 16), dtype=bool)
    history = train(network, cube, use, config, shape=shape)
    assert history.best_epoch == 1 + int(np.argmin(history.held_out))
    assert history.best_epoch < config.epochs
    assert len(watch.evaluated) == config.epochs
    assert _same(_weights(network), watch.evaluated[history.best_epoch - 1])


def test_one_cycle_keeps_its_last_weights_whatever_the_loss_was(cube: np.ndarray) -> None:
    """With a learning rate of zero the excess goes up and down with the shards drawn."""
    _, history = _train(cube, replace(BRIEF, **STILL, epochs=6))
    assert min(history.cross_entropy) < history.cross_entropy[-1]
    assert history.best_epoch == 6


def test_an_interrupt_keeps_the_best_weights(
    cube: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, shape = _network(cube)
    steps = 8  # 32 shards in batches of 4, then one look at the held-out tiles
    watch = _Watch(network, monkeypatch, interrupt_at=3 * (steps + 1) + 4)
    use = np.ones((16, 16), dtype=bool)
    with pytest.warns(UserWarning, match=r"interrupted in epoch 4 of 9.* of epoch \d are kept"):
        history = train(network, cube, use, replace(STOPPABLE, epochs=9), shape=shape)
    assert history.stopped == "interrupted"
    assert len(history.held_out) == 3
    assert history.best_epoch == 1 + int(np.argmin(history.held_out))
    assert _same(_weights(network), watch.evaluated[history.best_epoch - 1])
    assert not network.training


def test_an_interrupt_of_one_cycle_keeps_the_last_epoch(
    cube: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, shape = _network(cube)
    steps = 8
    watch = _Watch(network, monkeypatch, interrupt_at=3 * steps + 4)
    use = np.ones((16, 16), dtype=bool)
    with pytest.warns(UserWarning, match="interrupted in epoch 4 of 9; the weights of epoch 3 are"):
        train(network, cube, use, replace(BRIEF, epochs=9), shape=shape)
    assert _same(_weights(network), watch.called[3 * steps])


def test_an_interrupt_in_the_first_epoch_is_passed_on(
    cube: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, shape = _network(cube)
    _Watch(network, monkeypatch, interrupt_at=4)
    with pytest.raises(KeyboardInterrupt):
        train(network, cube, np.ones((16, 16), dtype=bool), BRIEF, shape=shape)


# What is shown


def _shown(
    cube: np.ndarray, config: TrainingConfig, patch: pytest.MonkeyPatch, stop: float = math.inf
) -> tuple[CVAENetwork, list[int]]:
    """The trained network, and how many channels it was shown in each step."""
    network, shape = _network(cube)
    forward, shown = network.forward, []

    def watched(intensities: Tensor, *random: object) -> tuple[Tensor, Tensor, Tensor]:
        shown.append(intensities.shape[-1])
        if len(shown) >= stop:
            raise KeyboardInterrupt
        return forward(intensities, *random)

    patch.setattr(network, "forward", watched)
    train(network, cube, np.ones(cube.shape[:2], bool), config, shape=shape)
    return network, shown


def test_a_larger_scan_takes_as_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for side in (16, 60):
        cube = _counts(_expected(side, side, 0.15), 3000)
        _, shown = _shown(cube, BRIEF, monkeypatch)
        assert len(shown) == 3 * 8


# What is left out


def _weights_shown(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Return the weights of the spectra at each step of what will be trained."""
    weights, shards_at = [], Shards.at

    def at(shards: Shards, corners: np.ndarray, *turned: Any) -> list[Tensor]:
        if turned:  # drawn, and not those that tile the scan
            weights.append(shards.weight.numpy())
        return shards_at(shards, corners, *turned)

    monkeypatch.setattr(Shards, "at", at)
    return weights


def test_a_piece_that_can_fill_a_shard_is_not_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A domain of a rare kind is bulk."""
    cube = _counts(_expected(40, 40, 0.15), 3000)
    network, shape = _network(cube)
    assert shape == (16, 16)
    domain, anomaly = np.zeros((2, 40, 40), bool)
    domain[20:37, 20:36] = True
    anomaly[2:17, 5:20] = True
    found = domain | anomaly
    monkeypatch.setattr(Outliers, "_isolated", lambda *_: found)
    weights = _weights_shown(monkeypatch)
    config = replace(BRIEF, epochs=8, left_out=0.35)
    train(network, cube, np.ones((40, 40), bool), config, shape=shape)
    np.testing.assert_array_equal(weights[0] == 0, anomaly)
    np.testing.assert_array_equal(weights[-1], weights[0])


def test_what_does_not_fit_the_rest_of_its_spectrum_is_left_out_from_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heights = np.tile(np.linspace(-0.4, 0.4, 60), (60, 1))
    first, second = np.stack([heights, heights])
    second[20:26, 27:33] = 0.4  # as at the end of the scan, where the first has it, too
    lines = first[..., None] * _peak(5, 2) + second[..., None] * _peak(18, 2)
    cube = _counts((1 + lines) / len(ENERGY), 10_000)
    network, shape = _network(cube)
    weights = _weights_shown(monkeypatch)
    train(network, cube, np.ones((60, 60), bool), replace(BRIEF, left_out=0.05), shape=shape)
    left_out = weights[0] == 0
    assert left_out[21:25, 28:32].all()
    assert left_out[:, -6:].mean() < 0.2


@pytest.mark.parametrize(
    ("epochs", "first", "times"), [(8, 3, 4), (48, 18, 4), (49, 18, 4), (100, 42, 6)]
)
def test_a_network_tells_outliers_once_it_has_learnt_something(
    epochs: int, first: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cube = _counts(_expected(60, 60, 0.15), 3000)
    network, shape = _network(cube)
    places = iter(range(100))

    def beside(*_: Any) -> tuple[np.ndarray, np.ndarray]:
        found = np.zeros((60, 60), bool)
        found[next(places) % 60, :10] = True
        return found, np.zeros((60, 60))

    monkeypatch.setattr(Outliers, "beside", beside)
    weights = _weights_shown(monkeypatch)
    config = replace(BRIEF, epochs=epochs, steps_per_epoch=1, batch_size=2, left_out=0.05)
    train(network, cube, np.ones((60, 60), bool), config, shape=shape)
    changes = [n for n in range(1, epochs) if (weights[n] != weights[n - 1]).any()]
    assert len(weights) == epochs
    assert (changes[0], len(changes)) == (first, times)
    assert 0.7 * epochs < changes[-1] <= 0.75 * epochs


def test_bulk_that_is_badly_fitted_is_seen_more_often_and_counts_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cube = _counts(_expected(60, 60, 0.15), 3000)
    network, shape = _network(cube)
    domain = np.zeros((60, 60), bool)
    domain[46:58, 4:16] = True
    unfit = np.where(domain, 9.0, 0.0)
    monkeypatch.setattr(Outliers, "beside", lambda *_: (unfit < 0, unfit / 3))
    drawn, weights, shards_at = [], [], Shards.at

    def at(shards: Shards, corners: np.ndarray, *steps: Any) -> list[Tensor]:
        weights.append(shards.weight.numpy())
        if steps:  # drawn, and not those that tile the scan
            drawn.append(corners)
        return shards_at(shards, corners, *steps)

    monkeypatch.setattr(Shards, "at", at)
    config = replace(BRIEF, epochs=16, left_out=0.05, revisited=0.5)
    train(network, cube, np.ones((60, 60), bool), config, shape=shape)
    first, last = np.concatenate(drawn[:48]), np.concatenate(drawn[48:])  # of eight an epoch

    def share(corners: np.ndarray) -> float:
        inside = (corners > (46 - shape[0], 4 - shape[1])) & (corners < (58, 16))
        return float(inside.all(1).mean())

    # Ten times as many as the domain is of the scan, and of the others as many as before.
    assert share(last) == pytest.approx(0.4 + 0.6 * share(first), abs=0.15)
    assert share(last) > share(first) + 0.15
    at_first = weights[0] > 0
    assert at_first.mean() > 0.9
    assert (weights[-1] > 0).all()
    times = np.where(domain, 3, 1)[at_first]
    np.testing.assert_allclose(weights[-1][at_first], times * weights[0][at_first], rtol=1e-6)


# Channels that are summed up at first


@pytest.fixture
def wide() -> np.ndarray:
    """So many channels that half of the width of fine structure is two."""
    return _counts(np.repeat(_expected(16, 16, 0.15), 24, axis=-1) / 24, 30_000)


def test_the_last_epochs_are_shown_all_channels(
    wide: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, shown = _shown(wide, replace(BRIEF, epochs=4), monkeypatch)
    assert shown == 3 * 8 * [384] + 8 * [768]
    assert network.width == 1


@pytest.mark.parametrize("config", [BRIEF, STOPPABLE], ids=["onecycle", "plateau"])
def test_history_tells_how_long_channels_were_summed_up(
    cube: np.ndarray, wide: np.ndarray, config: TrainingConfig
) -> None:
    config = replace(config, epochs=2, summed=0.5)
    assert _train(wide, config)[1].summed_epochs == (1 if config.schedule == "onecycle" else 0)
    assert _train(cube, config)[1].summed_epochs == 0


def test_an_interrupt_before_leaves_a_network_of_all_channels(
    wide: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(UserWarning, match="interrupted in epoch 2"):
        network, shown = _shown(wide, replace(BRIEF, epochs=4), monkeypatch, stop=12)
    assert shown == 12 * [384]
    assert network.width == 1


@pytest.mark.parametrize(
    "config",
    [replace(BRIEF, summed=0.0), replace(STOPPABLE, summed=1.0)],
    ids=["not asked for", "tiles that tell when to stop"],
)
def test_channels_are_not_summed_up(
    wide: np.ndarray, config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, shown = _shown(wide, config, monkeypatch)
    assert set(shown) == {768}


def test_as_much_is_learnt_from_summed_channels(wide: np.ndarray) -> None:
    expected = np.repeat(_expected(16, 16, 0.15), 24, axis=-1) / 24
    found = []
    for summed in (0.0, 0.75):
        network, _ = _train(wide, replace(SHORT, epochs=10, left_out=0.0, summed=summed))
        found.append(_divergence(expected, _reconstruct(network, wide)))
    mean = wide.sum((0, 1), dtype=float) / wide.sum(dtype=float)
    assert found[1] < 1.2 * found[0]
    assert found[1] < 0.5 * _divergence(expected, mean)


# What cannot be trained


def test_a_loss_that_is_not_finite_is_explained(cube: np.ndarray) -> None:
    config = TrainingConfig(epochs=5, learning_rate=1e30)
    with pytest.raises(
        TrainingError, match=r"loss became (nan|inf) in epoch 1 of 5.*1e\+30.*lower"
    ):
        _train(cube, config)


@pytest.mark.parametrize("case", ["all zero", "nothing used", "used where empty"])
def test_nothing_to_train_on_is_explained(cube: np.ndarray, case: str) -> None:
    use = np.ones((16, 16), dtype=bool)
    if case == "all zero":
        cube[:] = 0
    elif case == "nothing used":
        use[:] = False
    else:
        cube[:, :8] = 0
        use[:, 8:] = False
    with pytest.raises(TrainingError, match=r"no spectrum .* positive sum .* navigation_mask"):
        _train(cube, BRIEF, use=use)


# Scans that are not ordinary


@pytest.mark.parametrize("scan", [(1, 1), (1, 2), (2, 1), (1, 30), (7, 5), (9, 2)])
def test_small_scans_are_trained(scan: tuple[int, int]) -> None:
    cube = _counts(_expected(*scan, 0.15), 3000)
    network, shape = _network(cube)
    use = np.ones(scan, dtype=bool)
    history = train(network, cube, use, replace(BRIEF, epochs=2), shape=shape)
    assert history.best_epoch > 0
    assert history.stopped == "all epochs done"
    assert np.all(np.isfinite(history.cross_entropy))
    assert all(torch.isfinite(values).all() for values in network.state_dict().values())


def test_one_pixel_keeps_what_it_learnt() -> None:
    """Without a tile to hold out there is nothing to stop at."""
    cube = _counts(_expected(1, 1, 0.0), 3000)
    untrained, _ = _train(cube, replace(BRIEF, epochs=1, **STILL))
    network, history = _train(cube, replace(STOPPABLE, epochs=5, patience=2))
    assert len(history.cross_entropy) == 5
    assert history.best_epoch == 5
    assert not _same(_weights(network), _weights(untrained))


@pytest.mark.parametrize("schedule", ["onecycle", "plateau"])
def test_spectra_at_the_rim_only(schedule: str, cube: np.ndarray) -> None:
    """Where no tile fits."""
    cube = cube[:11, :11].copy()
    use = np.zeros((11, 11), dtype=bool)
    use[:, 8:] = True
    network, history = _train(cube, replace(BRIEF, schedule=schedule), use=use)
    assert history.best_epoch > 0
    assert all(torch.isfinite(values).all() for values in network.state_dict().values())


@pytest.mark.parametrize("seed", range(4))
def test_empty_spectra_are_not_held_out(cube: np.ndarray, seed: int) -> None:
    cube[:, :12] = 0
    _, history = _train(cube, replace(STOPPABLE, epochs=1), seed=seed)
    assert np.isfinite(history.held_out).tolist() == [True]
    assert history.cross_entropy[0] > 0


@pytest.mark.parametrize("seed", range(4))
def test_held_out_tiles_outlive_the_worst_fitted(seed: int) -> None:
    expected = _expected(16, 16, 0.0)
    cube = _counts(expected, 3000, seed=2)
    config = replace(STOPPABLE, epochs=4, left_out=0.9)
    _, history = _train(cube, config, seed=seed)
    assert len(history.held_out) == 4
    assert np.all(np.isfinite(history.held_out))


@pytest.mark.parametrize("seed", range(4))
def test_a_few_usable_spectra_are_not_all_held_out(cube: np.ndarray, seed: int) -> None:
    use = np.zeros((16, 16), dtype=bool)
    use[1:3, 1:3] = True  # smaller than a tile
    _, history = _train(cube, replace(STOPPABLE, epochs=3), use=use, seed=seed)
    assert max(history.cross_entropy) > 0


def test_negative_and_empty_spectra(cube: np.ndarray) -> None:
    cube -= np.float32(cube.mean() * 0.2)
    cube[5, 6] = 0
    cube[7, 8] = -3
    cube[2:4, :, 20] = 0
    network, history = _train(cube, replace(BRIEF, left_out=0.05))
    assert np.all(np.isfinite(history.cross_entropy))
    assert all(torch.isfinite(values).all() for values in network.state_dict().values())


# The published training


def test_plateau_trains_the_published_network() -> None:
    cube = _counts(_expected(4, 4, 0.15), 3000)
    cube /= np.percentile(cube, 99)
    network, shape = _network(cube, "paper")
    config = replace(PAPER_TRAINING, epochs=3)
    history = train(network, cube, np.ones((4, 4), dtype=bool), config, shape=shape)
    assert len(history.cross_entropy) == 3
    assert history.cross_entropy[-1] < 0.7 * history.cross_entropy[0]


def test_plateau_halves_the_learning_rate(
    cube: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimisers: list[torch.optim.Adam] = []

    class Adam(torch.optim.Adam):
        def __init__(self, *arguments: object, **settings: object) -> None:
            super().__init__(*arguments, **settings)  # type: ignore[arg-type]
            optimisers.append(self)

    monkeypatch.setattr(torch.optim, "Adam", Adam)
    # Without a gradient nothing improves: after the first, epochs count as without improvement.
    config = replace(BRIEF, schedule="plateau", gradient_clip=0.0, batch_size=16)
    for epochs, rate in ((11, 2e-3), (12, 1e-3)):
        _train(cube, replace(config, epochs=epochs))
        assert optimisers[-1].param_groups[0]["lr"] == pytest.approx(rate, rel=1e-6, abs=0)


def test_the_gradient_is_clipped(cube: np.ndarray) -> None:
    config = replace(BRIEF, schedule="plateau", epochs=1)
    untrained, _ = _train(cube, replace(config, learning_rate=0.0))
    clipped, _ = _train(cube, replace(config, gradient_clip=0.0))
    free, _ = _train(cube, config)
    assert _same(_weights(clipped), _weights(untrained))
    assert not _same(_weights(free), _weights(untrained))


def test_published_settings() -> None:
    found = PAPER_TRAINING
    assert (found.epochs, found.batch_size, found.learning_rate) == (300, 1, 1e-4)
    assert (found.schedule, found.beta, found.gradient_clip) == ("plateau", 1.2, 3.53)
    assert found.left_out == 0


def test_kl_is_faded_in(cube: np.ndarray) -> None:
    config = replace(BRIEF, epochs=4, warm_up=0.5, beta=8.0)
    _, faded = _train(cube, config)
    _, half = _train(cube, replace(config, warm_up=0.0, beta=4.0))
    _, whole = _train(cube, replace(config, warm_up=0.0))
    assert faded.divergence[0] == half.divergence[0]
    assert faded.divergence[0] != whole.divergence[0]
    assert faded.divergence[2] != half.divergence[2]
    _, brief = _train(cube, replace(config, warm_up=0.25))
    assert brief == whole
