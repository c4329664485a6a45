"""The gradient of a batch, by hand, on a CPU and as a graph on a GPU."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hyperspy_cvae.networks import CompactConfig, CompactNetwork
from hyperspy_cvae.training import TrainingConfig, cvae_loss, entropy, train
from hyperspy_cvae.training._optimiser import OneCycle
from hyperspy_cvae.training._step import Batch, Step

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
LIKELIHOOD_WEIGHT, CLIP, BETA = 2e4, 0.01, 1.2


def _network(device: str = "cpu") -> CompactNetwork:
    torch.manual_seed(3)
    return CompactNetwork((8, 8, 40), CompactConfig(latent=5)).to(device).eval()


def _batch(seed: int, device: str = "cpu") -> Batch:
    random = torch.Generator().manual_seed(seed)
    counts = 50 + 100 * torch.rand(2, 8, 8, 40, generator=random)
    target = counts / counts.sum(-1, keepdim=True)
    weight = torch.rand(2, 8, 8, generator=random)
    batch = counts, target, weight, entropy(target), weight.sum()
    return Batch(*(each.to(device) for each in batch))


def _gradients(network: nn.Module) -> Tensor:
    return torch.cat([p.grad.ravel() for p in network.parameters() if p.grad is not None]).cpu()


def test_a_step_leaves_the_clipped_gradient_of_the_loss() -> None:
    network, batch = _network(), _batch(1)
    logits, mean, log_variance = network(batch.shown)
    loss = cvae_loss(
        batch.target,
        batch.weight,
        logits,
        mean,
        log_variance,
        beta=BETA,
        likelihood_weight=LIKELIHOOD_WEIGHT,
    )
    loss.backward()
    wanted = _gradients(network)
    step = Step(network, LIKELIHOOD_WEIGHT, CLIP, 1)
    for _ in range(2):  # what an earlier step left does not count
        fit, weight, divergence = step(batch, BETA).tolist()
        torch.testing.assert_close(
            _gradients(network), wanted * min(1.0, CLIP / float(wanted.norm()))
        )
    assert weight == pytest.approx(float(batch.total), rel=1e-6)
    whole = fit + float((batch.weight * batch.floor).sum()) + BETA / LIKELIHOOD_WEIGHT * divergence
    assert whole == pytest.approx(float(loss.detach() * batch.total), rel=1e-5)


@needs_gpu
def test_a_graph_leaves_the_gradient_of_each_batch() -> None:
    network, other = _network(), _network("cuda")
    step, captured = (Step(each, LIKELIHOOD_WEIGHT, CLIP, 1) for each in (network, other))
    for seed, beta in ((1, 0.0), (2, BETA), (3, BETA)):
        found = captured(_batch(seed, "cuda"), beta)
        torch.testing.assert_close(found.cpu(), step(_batch(seed), beta), rtol=1e-3, atol=1e-2)
        wanted = _gradients(network)
        # TF32, where a GPU multiplies so by default, makes up to a hundredth.
        assert (_gradients(other) - wanted).norm() < 3e-2 * wanted.norm()


@needs_gpu
def test_weights_move_on_a_gpu_as_on_a_cpu() -> None:
    moved = []
    for device in ("cpu", "cuda"):
        network, random = _network(device), torch.Generator().manual_seed(5)
        before = torch.cat([each.detach().ravel() for each in network.parameters()]).cpu()
        optimiser = OneCycle(network, TrainingConfig(), steps=20)
        for _ in range(4):
            for weight in network.parameters():
                weight.grad = torch.randn(weight.shape, generator=random).to(device)
            optimiser.step()
        after = torch.cat([each.detach().ravel() for each in network.parameters()]).cpu()
        moved.append(after - before)
    assert (moved[1] - moved[0]).norm() < 0.02 * moved[0].norm()


@needs_gpu
def test_a_graph_draws_new_noise_in_every_step() -> None:
    network = _network("cuda").train()
    captured = Step(network, LIKELIHOOD_WEIGHT, CLIP, 1)
    first, second = (captured(_batch(1, "cuda"), BETA) for _ in range(2))
    assert first[0] != second[0]


@needs_gpu
def test_a_training_on_a_gpu_fits_as_one_on_a_cpu() -> None:
    """Also where the channels that are summed up at first change in between."""
    energy = np.arange(768)
    kind = np.sin(np.arange(40) / 6)[:, None, None]
    expected = 100 + 60 * np.exp(-((energy - 400 - 20 * kind) ** 2) / 2000)
    cube = np.random.default_rng(0).poisson(np.broadcast_to(expected, (40, 40, 768)))
    use, config = np.ones((40, 40), bool), TrainingConfig(epochs=16)
    fits = []
    for device in ("cpu", "cuda"):
        network = CompactNetwork((16, 16, 768), CompactConfig())
        history = train(
            network, cube.astype(np.float32), use, config, shape=(16, 16), device=device
        )
        fits.append(history.cross_entropy[-1])
        assert all(weight.grad is None for weight in network.parameters())
    assert fits[1] == pytest.approx(fits[0], rel=0.1)
