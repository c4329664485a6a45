"""Muon moves hidden weights by orthogonal steps, AdamW the others."""

import pytest
import torch

from hyperspy_cvae.networks import CompactConfig, CompactNetwork, build_network, network_config
from hyperspy_cvae.training import TrainingConfig
from hyperspy_cvae.training._optimiser import OneCycle, one_cycle, orthogonal

CONFIG = TrainingConfig(learning_rate=1e-3, hidden_learning_rate=2e-2)
START = 1 / 25  # of the peak: where torch's cycle begins


@pytest.fixture
def network() -> CompactNetwork:
    torch.manual_seed(3)
    return CompactNetwork((8, 8, 40), CompactConfig(latent=5))


def _gradients(network: torch.nn.Module) -> None:
    for weight in network.parameters():
        weight.grad = torch.randn_like(weight)


def test_hidden_weights_are_matrices_and_kernels_on_the_path_of_a_pixel(
    network: CompactNetwork,
) -> None:
    hidden = {id(weight) for weight in network.hidden_weights()}
    named = {name for name, weight in network.named_parameters() if id(weight) in hidden}
    assert {"to_code.0.weight", "to_drift.0.weight", "compose.1.weight"} <= named
    assert all(name.endswith("weight") for name in named)
    assert not any(name.startswith(("spectr", "to_latent", "of_row")) for name in named)


def test_hidden_weights_move_orthogonally(network: CompactNetwork) -> None:
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    optimiser = OneCycle(network, CONFIG, steps=100)
    _gradients(network)
    optimiser.step()
    hidden = {id(weight) for weight in network.hidden_weights()}
    for name, weight in network.named_parameters():
        moved = (weight.detach() - before[name]).flatten(1) if weight.ndim > 1 else None
        if id(weight) in hidden:
            assert moved is not None
            rate = START * CONFIG.hidden_learning_rate * max(1, len(moved) / moved.shape[1]) ** 0.5
            sizes = torch.linalg.svdvals(moved) / rate
            # The iteration leaves a direction smaller in which the gradient is hardly anything.
            assert 0.6 < sizes.quantile(0.1), name
            assert sizes.max() < 1.6, name
        else:
            change = (weight.detach() - before[name]).abs()
            assert 0 < change.max() <= 1.1 * START * CONFIG.learning_rate, name


def test_rates_rise_and_fall(network: CompactNetwork) -> None:
    optimiser = OneCycle(network, CONFIG, steps=10)
    moved = []
    for _ in range(10):
        before = network.to_code[0].weight.detach().clone()
        network.zero_grad()
        _gradients(network)
        optimiser.step()
        moved.append(float((network.to_code[0].weight.detach() - before).norm()))
    assert max(moved) == max(moved[2:5])
    assert moved[-1] < 0.01 * max(moved)


def test_a_network_that_names_none_is_moved_by_adamw_alone() -> None:
    network = build_network((4, 4, 60), network_config("paper", latent=4))
    assert network.hidden_weights() == []
    before = [weight.detach().clone() for weight in network.parameters()]
    optimiser = OneCycle(network, CONFIG, steps=10)
    _gradients(network)
    optimiser.step()
    for weight, old in zip(network.parameters(), before, strict=True):
        assert 0 < (weight.detach() - old).abs().max() <= 1.1 * START * CONFIG.learning_rate


def test_matrices_of_any_shape_become_orthogonal() -> None:
    """Their singular values become about 1; of which singular vectors stays."""
    random = torch.Generator().manual_seed(6)
    shapes = [(48, 600), (96, 8), (8, 48), (100, 130), (1, 5), (60, 60)]
    matrices = [torch.randn(*shape, generator=random) for shape in shapes]
    for matrix, found in zip(matrices, orthogonal(matrices), strict=True):
        assert found.shape == matrix.shape
        left, _, right = torch.linalg.svd(matrix, full_matrices=False)
        values = left.T @ found @ right.T
        sizes = values.diagonal()
        assert 0.6 < sizes.quantile(0.1)
        assert sizes.max() < 1.3
        assert (values - sizes.diag()).abs().max() < 1e-3


def test_it_is_torchs_muon_but_for_its_precision() -> None:
    random = torch.Generator().manual_seed(7)
    gradient = torch.randn(48, 200, generator=random)
    weight = torch.nn.Parameter(torch.zeros(48, 200))
    weight.grad = gradient.clone()
    torch.optim.Muon([weight], lr=1.0, weight_decay=0.0).step()
    (found,) = orthogonal([gradient])
    assert (found + weight.detach()).norm() < 0.03 * found.norm()


def test_a_gradient_of_nothing_moves_nothing() -> None:
    (found,) = orthogonal([torch.zeros(4, 9)])
    assert not found.any()


@pytest.mark.parametrize("steps", [1, 2, 10, 37, 1536])
def test_one_cycle_is_torchs(steps: int) -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    adamw = torch.optim.AdamW([weight], 1.0)
    if steps < 10:  # which torch's does not take
        assert all(0 < one_cycle(done, steps)[0] <= 1 for done in range(steps))
        return
    cycle = torch.optim.lr_scheduler.OneCycleLR(adamw, 1.0, total_steps=steps)
    for done in range(steps):
        rate, momentum = one_cycle(done, steps)
        assert rate == pytest.approx(adamw.param_groups[0]["lr"], abs=1e-12)
        assert momentum == pytest.approx(adamw.param_groups[0]["betas"][0])
        adamw.step()
        if done + 1 < steps:
            cycle.step()
