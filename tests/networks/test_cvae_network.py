"""What all networks share: the latent vector is drawn while training and only then."""

import pytest
import torch
from torch import Tensor

from hyperspy_cvae.networks import CVAENetwork


class Fixed(CVAENetwork):
    """A posterior of mean 2 and standard deviation 3, decoded as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = torch.nn.Parameter(torch.tensor(2.0))
        self.log_variance = torch.nn.Parameter(torch.tensor(9.0).log())

    def encode(self, intensities: Tensor) -> tuple[Tensor, Tensor, None]:
        shape = len(intensities), 2
        return self.mean.expand(shape), self.log_variance.expand(shape), None

    def decode(self, latent: Tensor, code: Tensor | None, random: object = None) -> Tensor:
        return latent


def test_latent_vectors_are_drawn_from_the_posterior_while_training() -> None:
    torch.manual_seed(5)
    drawn = Fixed().train()(torch.empty(50_000, 1))[0]
    assert drawn.mean().item() == pytest.approx(2, abs=0.05)
    assert drawn.std().item() == pytest.approx(3, abs=0.05)
    assert torch.corrcoef(drawn.T)[0, 1].item() == pytest.approx(0, abs=0.02)


def test_the_posterior_mean_is_decoded_afterwards() -> None:
    decoded, mean, log_variance = Fixed().eval()(torch.empty(4, 1))
    assert torch.all(decoded == 2)
    assert torch.all(mean == 2)
    torch.testing.assert_close(log_variance.exp(), torch.full((4, 2), 9.0))


def test_gradients_pass_through_the_draw() -> None:
    """With z = mu + sigma * epsilon, dz/dmu = 1 and dz/dlog sigma^2 = (z - mu) / 2."""
    torch.manual_seed(6)
    network = Fixed().train()
    drawn = network(torch.empty(1, 1))[0]
    drawn[0, 0].backward()
    assert network.mean.grad is not None
    assert network.log_variance.grad is not None
    assert network.mean.grad.item() == pytest.approx(1)
    assert network.log_variance.grad.item() == pytest.approx((drawn[0, 0].item() - 2) / 2)


def test_a_network_must_say_how_it_encodes_and_decodes() -> None:
    with pytest.raises(TypeError, match="CVAENetwork does not define encode"):
        CVAENetwork()(torch.empty(1, 1, 1, 1))
    with pytest.raises(TypeError, match="CVAENetwork does not define decode"):
        CVAENetwork().decode(torch.empty(1, 1), None)
