"""The default network: shards of any shape, standardised in, scaled out."""

import pytest
import torch

from hyperspy_cvae.networks import CompactConfig, CompactNetwork

SHAPES = [
    (24, 24, 1312),
    (16, 16, 794),
    (8, 6, 1024),
    (1, 24, 101),
    (1, 1, 4096),
    (7, 5, 100),
    (2, 3, 5),
    (1, 1, 1),
]


def _adapted(shape: tuple[int, int, int]) -> CompactNetwork:
    """A network that knows a made-up bulk."""
    torch.manual_seed(4)
    network = CompactNetwork(shape, CompactConfig(latent=5)).eval()
    mean = torch.rand(shape[2]) + 0.1
    mean /= mean.sum()
    network.adapt(mean, 0.2 * mean * (0.5 + torch.rand(shape[2])), 10.0)
    return network


@pytest.mark.parametrize("shape", SHAPES)
def test_output_has_the_shape_of_the_input(shape: tuple[int, int, int]) -> None:
    network = CompactNetwork(shape, CompactConfig(latent=6))
    with torch.no_grad():
        logits, mean, log_variance = network(torch.rand(2, *shape))
    assert logits.shape == (2, *shape)
    assert mean.shape == log_variance.shape == (2, 6)
    assert logits.isfinite().all()


def test_any_shape_of_small_scans() -> None:
    for rows in range(1, 10):
        for columns in (1, 3, 8):
            for channels in (7, 101):
                shape = (rows, columns, channels)
                with torch.device("meta"):
                    network = CompactNetwork(shape, CompactConfig(latent=2))
                    assert network(torch.empty(1, *shape))[0].shape == (1, *shape)


@pytest.mark.parametrize("shape", [(7, 5, 100), (1, 24, 101), (1, 1, 65), (8, 6, 64)])
def test_every_voxel_is_seen_and_reconstructed(shape: tuple[int, int, int]) -> None:
    network = _adapted(shape)
    shards = (100 * torch.rand(1, *shape)).requires_grad_()
    mean, log_variance = network.encode(shards)
    (mean.sum() + log_variance.sum()).backward()
    assert shards.grad is not None
    assert torch.all(shards.grad != 0)
    with torch.no_grad():
        one, other = network.decode(torch.randn(2, 5) * 10)
    assert torch.all(one != other)


def test_shards_of_a_batch_do_not_mix() -> None:
    network = _adapted((7, 5, 40))
    shards = 100 * torch.rand(3, 7, 5, 40)
    with torch.no_grad():
        together, alone = network(shards)[0], network(shards[1:2])[0]
    torch.testing.assert_close(together[1:2], alone)


def test_dose_does_not_reach_the_latent_vector() -> None:
    network = _adapted((6, 6, 40))
    shards = 100 * torch.rand(1, 6, 6, 40)
    dose = 1 + 9 * torch.rand(1, 6, 6, 1)
    with torch.no_grad():
        torch.testing.assert_close(network.encode(dose * shards)[0], network.encode(shards)[0])


def test_a_spectrum_almost_without_counts_does_not_count_as_a_full_one() -> None:
    network = _adapted((6, 6, 40))
    shard = 100 * torch.rand(6, 6, 40)
    shards = shard.repeat(3, 1, 1, 1)
    shards[:, 2, 2] = 0
    shards[1, 2, 2, 7] = 0.01  # normalised without a floor, the spike of the third
    shards[2, 2, 2, 7] = 1000
    with torch.no_grad():
        none, little, spike = network.encode(shards)[0]
    assert (little - none).abs().max() < 0.05 * (spike - none).abs().max()


def test_a_shard_at_the_bulk_mean_is_the_origin_of_the_features() -> None:
    """Standardised, the mean spectrum is zero: the latent vector comes from the biases alone."""
    network = _adapted((6, 6, 40))
    with torch.no_grad():
        for layer in network.convolutions:
            if isinstance(layer, torch.nn.Conv3d):
                layer.bias.zero_()
        mean, log_variance = network.encode((500 * network.mean).expand(1, 6, 6, 40))
        expected = network.to_latent.bias
    torch.testing.assert_close(torch.cat([mean, log_variance], 1)[0], expected, atol=1e-4, rtol=0)


def test_output_starts_at_the_mean_spectrum() -> None:
    network = _adapted((6, 6, 40))
    with torch.no_grad():
        network.deviation.mul_(1e-6)
        spectra = torch.softmax(network.decode(torch.randn(3, 5)), -1)
    torch.testing.assert_close(spectra, network.mean.expand_as(spectra), rtol=1e-4, atol=0)


def test_output_departs_in_proportion_to_the_deviation_of_the_bulk() -> None:
    network = _adapted((6, 6, 40))
    latent = torch.randn(3, 5)
    with torch.no_grad():
        departure = network.decode(latent) - network.mean.log()
        network.deviation[:20] *= 3
        scaled = network.decode(latent) - network.mean.log()
    torch.testing.assert_close(scaled[..., :20], 3 * departure[..., :20], rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(scaled[..., 20:], departure[..., 20:])


def test_what_the_network_adapted_to_is_part_of_its_state() -> None:
    network = _adapted((6, 6, 40))
    copy = CompactNetwork((6, 6, 40), CompactConfig(latent=5)).eval()
    copy.load_state_dict(network.state_dict())
    shards = 100 * torch.rand(1, 6, 6, 40)
    with torch.no_grad():
        torch.testing.assert_close(copy(shards)[0], network(shards)[0])


def test_small_enough_for_a_laptop() -> None:
    with torch.device("meta"):
        network = CompactNetwork((24, 24, 1312), CompactConfig())
    assert sum(parameter.numel() for parameter in network.parameters()) < 5e6
