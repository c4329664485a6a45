"""The loss against its closed form in NumPy, and its gradient against finite differences."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from hyperspy_cvae.networks import CVAENetwork, build_network, network_config
from hyperspy_cvae.training import cross_entropy, cvae_loss, entropy, kl_divergence

BATCH, ROWS, COLUMNS, CHANNELS, LATENT = 2, 3, 4, 10, 5

pytestmark = pytest.mark.usefixtures("one_thread")


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.fixture(params=["counts", "dark-corrected"])
def batch(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    """Targets, weights and outputs of a network, in float64."""
    random = np.random.default_rng(8)
    spectra = random.poisson(20, (BATCH, ROWS, COLUMNS, CHANNELS)).astype(float)
    if request.param == "dark-corrected":
        spectra -= 15
    spectra /= spectra.sum(-1, keepdims=True)
    assert np.any(spectra < 0) == (request.param == "dark-corrected")
    return {
        "target": spectra,
        "weight": random.choice([0.0, 0.3, 1.0], (BATCH, ROWS, COLUMNS)),
        "logits": random.normal(0, 2, spectra.shape),
        "mean": random.normal(0, 1, (BATCH, LATENT)),
        "log_variance": random.normal(-1, 1, (BATCH, LATENT)),
    }


def _tensors(batch: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(values) for name, values in batch.items()}


def test_cross_entropy_closed_form(batch: dict[str, np.ndarray]) -> None:
    tensors = _tensors(batch)
    expected = -(batch["target"] * np.log(_softmax(batch["logits"]))).sum(-1)
    found = cross_entropy(tensors["target"], tensors["logits"])
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_an_empty_spectrum_costs_nothing() -> None:
    logits = torch.tensor([3.0, -1.0, 0.5])
    assert cross_entropy(torch.zeros(3), logits).item() == 0
    assert entropy(torch.zeros(3)).item() == 0


def test_softmax_runs_over_energy(batch: dict[str, np.ndarray]) -> None:
    """A constant added to one spectrum's output changes nothing; one along energy does."""
    tensors = _tensors(batch)
    before = cross_entropy(tensors["target"], tensors["logits"])
    per_spectrum = torch.linspace(-5, 5, COLUMNS, dtype=torch.float64)[:, None]
    after = cross_entropy(tensors["target"], tensors["logits"] + per_spectrum)
    torch.testing.assert_close(after, before, rtol=1e-12, atol=1e-12)
    slope = torch.linspace(-5, 5, CHANNELS, dtype=torch.float64)
    after = cross_entropy(tensors["target"], tensors["logits"] + slope)
    assert (after - before).abs().min() > 1e-3


def test_large_logits_do_not_overflow() -> None:
    target = torch.tensor([0.25, 0.75])
    loss = cross_entropy(target, torch.tensor([2000.0, 0.0]))
    assert loss.item() == pytest.approx(0.75 * 2000)


def test_kl_divergence_closed_form(batch: dict[str, np.ndarray]) -> None:
    tensors = _tensors(batch)
    mu, variance = batch["mean"], np.exp(batch["log_variance"])
    expected = -0.5 * (1 + np.log(variance) - mu**2 - variance).sum(-1)
    found = kl_divergence(tensors["mean"], tensors["log_variance"])
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert np.all(found.numpy() > 0)


def test_kl_divergence_is_the_divergence_of_two_normal_distributions() -> None:
    mean, log_variance = torch.tensor([[0.7, -1.2]]), torch.tensor([[-2.0, 0.4]])
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected.sum(-1))


def test_kl_divergence_vanishes_at_the_prior_only() -> None:
    zero = torch.zeros(1, 3)
    assert kl_divergence(zero, zero).item() == 0
    for change in (0.01, -0.01):
        assert kl_divergence(zero + change, zero).item() > 0
        assert kl_divergence(zero, zero + change).item() > 0


@pytest.mark.parametrize("beta", [0.0, 1.2, 7.0])
@pytest.mark.parametrize("n", [1.0, 400.0, 1e5])
def test_loss_closed_form(batch: dict[str, np.ndarray], beta: float, n: float) -> None:
    likelihood = divergence = total = 0.0
    for shard in range(BATCH):
        for pixel in np.ndindex(ROWS, COLUMNS):
            weight = batch["weight"][shard][pixel]
            model = _softmax(batch["logits"][shard][pixel])
            likelihood -= n * weight * math.fsum(batch["target"][shard][pixel] * np.log(model))
            total += weight
        for mu, log_variance in zip(
            batch["mean"][shard], batch["log_variance"][shard], strict=True
        ):
            divergence += -0.5 * (1 + log_variance - mu**2 - math.exp(log_variance))
    expected = (likelihood + beta * divergence) / (n * total)
    found = cvae_loss(**_tensors(batch), beta=beta, likelihood_weight=n)
    assert found.shape == ()
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_the_published_loss_of_one_shard(batch: dict[str, np.ndarray]) -> None:
    """With n = 1 and all spectra used, eq. 1 divided by the number of spectra."""
    batch["weight"][:] = 1
    one = {name: values[:1] for name, values in batch.items()}
    crosses = -(one["target"] * np.log(_softmax(one["logits"]))).sum()
    mu, log_variance = one["mean"], one["log_variance"]
    divergence = -0.5 * np.sum(1 + log_variance - mu**2 - np.exp(log_variance))
    found = cvae_loss(**_tensors(one), beta=1.2, likelihood_weight=1)
    assert found.item() * ROWS * COLUMNS == pytest.approx(crosses + 1.2 * divergence, rel=1e-12)


def test_a_spectrum_without_weight_is_left_out(batch: dict[str, np.ndarray]) -> None:
    batch["weight"][:] = 1
    batch["weight"][0, 1, 2] = 0
    before = cvae_loss(**_tensors(batch), beta=1.2, likelihood_weight=50)
    batch["target"][0, 1, 2] = np.roll(batch["target"][0, 1, 2], 3)
    tensors = _tensors(batch)
    tensors["logits"].requires_grad_()
    after = cvae_loss(**tensors, beta=1.2, likelihood_weight=50)
    after.backward()
    assert after.item() == before.item()
    assert tensors["logits"].grad is not None
    assert torch.all(tensors["logits"].grad[0, 1, 2] == 0)
    assert torch.all(tensors["logits"].grad[0, 1, 1] != 0)


def test_a_batch_without_weight_is_finite(batch: dict[str, np.ndarray]) -> None:
    batch["weight"][:] = 0
    found = cvae_loss(**_tensors(batch), beta=0.0, likelihood_weight=50)
    assert found.item() == 0


def test_excess_vanishes_where_the_reconstruction_is_exact() -> None:
    random = np.random.default_rng(9)
    target = torch.from_numpy(random.dirichlet(np.ones(CHANNELS), (6, 7)))
    exact = cross_entropy(target, target.log() + 3.0) - entropy(target)
    assert exact.abs().max() < 1e-12


@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0])
def test_excess_is_positive_where_it_is_not(size: float) -> None:
    random = np.random.default_rng(10)
    target = torch.from_numpy(random.dirichlet(np.ones(CHANNELS), 200))
    wrong = target.log() + size * torch.from_numpy(random.normal(size=(200, CHANNELS)))
    excess = cross_entropy(target, wrong) - entropy(target)
    model = torch.softmax(wrong, -1)
    torch.testing.assert_close(excess, (target * (target / model).log()).sum(-1))
    assert excess.min() > 0


def test_entropy_of_empty_and_negative_channels() -> None:
    spectra = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, -0.2], [1.0, 0.0, 0.0]])
    expected = torch.tensor([math.log(2), math.log(2), 0.0])
    torch.testing.assert_close(entropy(spectra), expected)


def test_gradient_of_the_loss_in_the_outputs_of_the_network(batch: dict[str, np.ndarray]) -> None:
    tensors = _tensors(batch)
    outputs = [tensors[name].requires_grad_() for name in ("logits", "mean", "log_variance")]

    def loss(logits: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        return cvae_loss(
            tensors["target"],
            tensors["weight"],
            logits,
            mean,
            log_variance,
            beta=1.2,
            likelihood_weight=3,
        )

    assert torch.autograd.gradcheck(loss, outputs)


def _tiny(name: str, shape: tuple[int, int, int]) -> CVAENetwork:
    torch.manual_seed(12)
    network = build_network(shape, network_config(name, latent=3)).double().train()
    spectra = torch.rand(40, shape[2], dtype=torch.float64) + 0.1
    network.adapt(spectra / spectra.sum(1, keepdim=True), 1.0)
    return network


@pytest.mark.parametrize(
    ("name", "shape"),
    [("compact", (4, 5, 33)), ("compact", (1, 4, 16)), ("paper", (2, 3, 17)), ("paper", (1, 1, 9))],
)
def test_gradient_in_every_parameter_against_finite_differences(
    name: str, shape: tuple[int, int, int]
) -> None:
    network = _tiny(name, shape)
    shards = 50 * torch.rand(2, *shape, dtype=torch.float64)
    target = shards / shards.sum(-1, keepdim=True)
    weight = torch.rand(2, *shape[:2], dtype=torch.float64)

    def loss() -> Tensor:
        torch.manual_seed(13)  # the same latent vectors in every call
        return cvae_loss(target, weight, *network(shards), beta=1.2, likelihood_weight=20)

    loss().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None
        # Along the gradient the difference is largest, along a random direction all entries count.
        for direction in (parameter.grad.clone(), torch.randn_like(parameter)):
            direction /= direction.norm()
            # Few of the published network's activations cross zero within so small a step; the
            # compact one is smooth, and a larger step loses fewer digits.
            step = 1e-7 if name == "paper" else 3e-6
            with torch.no_grad():
                parameter += step * direction
                above = loss().item()
                parameter -= 2 * step * direction
                below = loss().item()
                parameter += step * direction
            slope = (parameter.grad * direction).sum().item()
            difference = (above - below) / (2 * step)
            assert difference == pytest.approx(slope, rel=1e-4, abs=1e-8), parameter_name
