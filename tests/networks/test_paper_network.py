"""The published network: its layers, its size, and shards of any shape."""

import math

import pytest
import torch
from torch import nn

from hyperspy_cvae.networks import PaperConfig, PaperNetwork

META = torch.device("meta")

CONVOLUTIONS = [
    (1, 32, (1, 1, 7), (1, 1, 2), (0, 0, 3)),
    (32, 64, (3, 3, 5), (1, 1, 2), (1, 1, 2)),
    (64, 128, (3, 3, 3), (2, 2, 2), (1, 1, 1)),
    (128, 256, (3, 3, 3), (2, 2, 2), (1, 1, 1)),
]


def _on_meta(shape: tuple[int, int, int], latent: int = 48) -> PaperNetwork:
    """A network without memory: it knows its shapes only."""
    with META:
        return PaperNetwork(shape, PaperConfig(latent))


def _describe(layer: nn.Module) -> tuple:
    kind = type(layer).__name__
    if isinstance(layer, nn.Conv3d | nn.ConvTranspose3d):
        assert layer.bias is not None
        assert layer.dilation == (1, 1, 1)
        geometry = (layer.kernel_size, layer.stride, layer.padding)
        return (kind, layer.in_channels, layer.out_channels, *geometry)
    if isinstance(layer, nn.Linear):
        return (kind, layer.in_features, layer.out_features)
    return (kind,)


def test_777_million_parameters() -> None:
    network = _on_meta((24, 24, 1312))
    assert sum(parameter.numel() for parameter in network.parameters()) == 777_076_961


def test_published_layers() -> None:
    features = 256 * 6 * 6 * 82
    expected: list[tuple] = []
    for convolution in CONVOLUTIONS:
        expected += [("Conv3d", *convolution), ("ReLU",)]
    expected += [("Flatten",), ("Linear", features, 512), ("ReLU",), ("Linear", 512, 2 * 48)]
    expected += [("Linear", 48, 512), ("ReLU",), ("Linear", 512, features), ("ReLU",)]
    expected += [("Unflatten",)]
    for inputs, outputs, *geometry in reversed(CONVOLUTIONS):
        expected += [("ConvTranspose3d", outputs, inputs, *geometry), ("ReLU",)]
    expected.pop()  # nothing follows the last layer: the output precedes the softmax

    leaves = [layer for layer in _on_meta((24, 24, 1312)).modules() if not list(layer.children())]
    assert [_describe(layer) for layer in leaves] == expected


@pytest.mark.parametrize(
    "shape",
    [
        (24, 24, 1312),
        (24, 24, 100),
        (24, 24, 101),
        (24, 24, 257),
        (16, 16, 794),
        (8, 6, 1024),
        (1, 24, 101),
        (7, 5, 100),
        (3, 1, 17),
        (1, 1, 1),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_output_has_the_shape_of_the_input(shape: tuple[int, int, int], training: bool) -> None:
    network = _on_meta(shape, latent=6).train(training)
    logits, mean, log_variance = network(torch.empty(3, *shape, device=META))
    assert logits.shape == (3, *shape)
    assert mean.shape == log_variance.shape == (3, 6)


def test_any_number_of_channels() -> None:
    for channels in range(1, 70):
        network = _on_meta((4, 4, channels), latent=2)
        assert network(torch.empty(1, 4, 4, channels, device=META))[0].shape[-1] == channels


@pytest.mark.parametrize("shape", [(3, 5, 17), (1, 1, 33), (4, 4, 32)])
def test_every_voxel_is_seen_and_reconstructed(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(2)
    network = PaperNetwork(shape, PaperConfig(4)).eval()
    shards = torch.rand(2, *shape, requires_grad=True)
    mean, log_variance, _ = network.encode(shards)
    (mean.sum() + log_variance.sum()).backward()
    assert shards.grad is not None
    assert torch.all(shards.grad != 0)
    with torch.no_grad():
        one, other = network.decode(torch.randn(2, 4) * 10)
    assert one.isfinite().all()
    assert (one != other).float().mean() > 0.99


def test_shards_of_a_batch_do_not_mix() -> None:
    torch.manual_seed(3)
    network = PaperNetwork((4, 4, 32), PaperConfig(4)).eval()
    shards = torch.rand(3, 4, 4, 32)
    with torch.no_grad():
        together, alone = network(shards)[0], network(shards[1:2])[0]
    torch.testing.assert_close(together[1:2], alone)


def test_length_of_the_latent_vector() -> None:
    network = _on_meta((24, 24, 100), latent=7)
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in linear[:2]] == [512, 14]
    assert linear[2].in_features == 7
    assert linear[3].out_features == 256 * math.prod((6, 6, 7))
