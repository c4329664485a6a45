"""The default network: shards of any shape in, spectra of the bulk out."""

import pytest
import torch
from torch import Tensor

from hyperspy_cvae.networks import CompactConfig, CompactNetwork
from hyperspy_cvae.networks._compact import _Composed, _Keys, _Moved, _Projected

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


def _bulk(channels: int, components: int = 3) -> Tensor:
    """Normalised spectra that are mixtures of a few."""
    generator = torch.Generator().manual_seed(7)
    kinds = torch.rand(components, channels, generator=generator) + 0.5
    spectra = torch.rand(200, components, generator=generator) @ kinds
    return spectra / spectra.sum(-1, keepdim=True)


def _adapted(shape: tuple[int, int, int], config: CompactConfig | None = None) -> CompactNetwork:
    """A network that knows a made-up bulk."""
    torch.manual_seed(4)
    network = CompactNetwork(shape, config or CompactConfig(latent=5)).eval()
    network.adapt(_bulk(shape[2]), 10.0)
    return network


@pytest.mark.parametrize("shape", SHAPES)
def test_output_has_the_shape_of_the_input(shape: tuple[int, int, int]) -> None:
    network = CompactNetwork(shape, CompactConfig(latent=6))
    with torch.no_grad():
        logits, mean, log_variance = network(torch.rand(2, *shape))
    assert logits.shape == (2, *shape)
    assert mean.shape == log_variance.shape == (2, 6)


def test_any_shape_of_small_scans() -> None:
    for rows in range(1, 10):
        for columns in (1, 3, 8):
            for channels in (7, 101):
                shape = (rows, columns, channels)
                with torch.device("meta"):
                    network = CompactNetwork(shape, CompactConfig(latent=2))
                    assert network(torch.empty(1, *shape))[0].shape == (1, *shape)


def test_every_voxel_is_seen_and_reconstructed() -> None:
    shape = (7, 5, 100)
    network = _adapted(shape)
    shards = (100 * torch.rand(1, *shape)).requires_grad_()
    mean, log_variance, _ = network.encode(shards)
    (mean.sum() + log_variance.sum()).backward()
    assert shards.grad is not None
    assert torch.all(shards.grad != 0)
    with torch.no_grad():
        code = network.encode(shards)[2]
        one, other = network.decode(torch.randn(2, 5) * 10, code)
    assert torch.all(one != other)


def test_shards_of_a_batch_do_not_mix() -> None:
    network = _adapted((7, 5, 40))
    shards = 100 * torch.rand(3, 7, 5, 40)
    with torch.no_grad():
        together, alone = network(shards)[0], network(shards[1:2])[0]
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-4)


def test_dose_does_not_reach_the_latent_vector_or_the_code() -> None:
    """In rows of one spectrum: the drift is read off the mean of a row, in which dose weighs."""
    network = _adapted((6, 6, 40)).double()
    shards = 100 * torch.rand(1, 6, 1, 40).double().expand(1, 6, 6, 40)
    dose = 1 + 9 * torch.rand(1, 6, 6, 1).double()
    with torch.no_grad():
        for one, other in zip(network.encode(dose * shards), network.encode(shards), strict=True):
            torch.testing.assert_close(one, other)


def test_a_spectrum_almost_without_counts_does_not_count_as_a_full_one() -> None:
    network = _adapted((6, 6, 40))
    shards = (100 * torch.rand(6, 6, 40)).repeat(3, 1, 1, 1)
    shards[:, 2, 2] = 0
    shards[1, 2, 2, 7] = 0.01  # normalised without a floor, the spike of the third
    shards[2, 2, 2, 7] = 1000
    with torch.no_grad():
        none, little, spike = network.encode(shards)[0]
    assert (little - none).abs().max() < 0.05 * (spike - none).abs().max()


def test_code_is_bounded_and_noisy_only_in_training() -> None:
    network = _adapted((6, 6, 40), CompactConfig(latent=5, code=2, contrast=1, code_noise=0.5))
    shards = 1e4 * torch.rand(1, 6, 6, 40)
    with torch.no_grad():
        latent, _, code = network.encode(shards)
        assert code.shape == (1, 6, 6, 4)  # and the drift of the row
        assert code.abs().max() <= 1
        torch.testing.assert_close(network.decode(latent, code), network.decode(latent, code))
        network.train()
        assert (network.decode(latent, code) != network.decode(latent, code)).any()


def test_contrast_tells_nothing_of_what_is_the_same_all_around() -> None:
    """So layers and domains do not drive it to its bounds."""
    network = _adapted((40, 40, 40), CompactConfig(latent=5, code=1, contrast=2))
    one, other = (100 * spectrum.expand(1, 40, 40, 40) for spectrum in _bulk(40)[:2])
    column = one.clone()
    column[0, 20, 20] = other[0, 0, 0]
    with torch.no_grad():
        uniform, marked, unlike = (
            network.encode(each)[2][0, 20, 20] for each in (one, column, other)
        )
    torch.testing.assert_close(uniform[1:3], torch.zeros(2), rtol=0, atol=1e-4)
    torch.testing.assert_close(unlike[1:3], torch.zeros(2), rtol=0, atol=1e-4)
    assert (unlike[0] - uniform[0]).abs() > 1e-3
    assert marked[1:3].abs().min() > 1e-3


@pytest.mark.parametrize("channels", [100, 1312, 4096])
def test_drift_moves_a_row_along_the_energy_axis(channels: int) -> None:
    """Shifts of whole and broken channels, against the line moved in closed form."""
    network = CompactNetwork((5, 2, channels), CompactConfig(latent=2)).double()
    energy = torch.arange(channels, dtype=torch.float64)
    width = 3 + network.farthest  # no sharper than an edge is beside the drift

    def line(shift: Tensor) -> Tensor:
        return torch.exp(-0.5 * ((energy - channels / 2 - shift) / width) ** 2)

    drift = torch.tensor([[-1.0, -0.4, 0.0, 0.23, 1.0]], dtype=torch.float64)
    moved = network._drifted(line(torch.zeros(1))[None], drift)[:, 0]
    assert network.farthest == max(1, round(0.01 * channels))
    torch.testing.assert_close(moved, line(network.farthest * drift.T), rtol=0, atol=2e-3)
    assert torch.equal(moved[2], line(torch.zeros(1)))


def test_drift_is_one_for_a_row() -> None:
    network = _adapted((6, 4, 40))
    with torch.no_grad():
        code = network.encode(1e3 * _bulk(40)[:48].reshape(2, 6, 4, 40))[2]
    drift = code[..., -1]
    assert torch.equal(drift, drift[:, :, :1].expand_as(drift))
    assert drift.std() > 0
    assert drift.abs().max() <= 1


def test_adapted_layers_span_the_bulk() -> None:
    """Through the spectral layers alone, spectra of the bulk come back."""
    network = _adapted((6, 6, 40), CompactConfig(components=6))
    spectra = _bulk(40)
    with torch.no_grad():
        logits = network.spectrum(network.spectral(spectra))
    restored = torch.softmax(logits, -1)
    mean = spectra.mean(0)
    left = (restored - spectra).square().mean() / (spectra - mean).square().mean()
    assert left < 0.02


def test_output_without_features_is_the_mean_spectrum() -> None:
    network = _adapted((6, 6, 40))
    with torch.no_grad():
        spectrum = torch.softmax(network.spectrum.bias, -1)
    torch.testing.assert_close(spectrum, _bulk(40).mean(0), rtol=1e-4, atol=0)


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


def _sums(logits: Tensor, width: int) -> Tensor:
    whole = logits.shape[-1] // width * width
    return torch.logsumexp(logits[..., :whole].unflatten(-1, (-1, width)), -1)


def _still(channels: int) -> CompactNetwork:
    """A network that finds no drift."""
    network = _adapted((6, 6, channels))
    last = network.to_drift[-2]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    return network


@torch.no_grad()
def test_logits_of_summed_channels_are_exact_to_first_order() -> None:
    network = _still(101)
    code, last = network.encode(1000 * _bulk(101)[:36].view(1, 6, 6, 101))[2], network.compose[-1]
    latent, weight, bias = torch.randn(1, 5), last.weight.clone(), last.bias.clone()
    errors = []
    for size in (0.0, 2.0, 4.0):
        last.weight.copy_(size * weight)
        last.bias.copy_(size * bias)
        network.width = 1
        expected = _sums(network.decode(latent, code), 3)
        network.width = 3
        errors.append(float((network.decode(latent, code) - expected).square().mean().sqrt()))
    assert errors[0] < 1e-2 * errors[1]
    assert errors[2] == pytest.approx(4 * errors[1], rel=0.2)


@torch.no_grad()
def test_flat_steps_have_the_same_code_when_they_are_summed_up() -> None:
    network = _still(99)
    bulk = _bulk(33, components=60)
    network.adapt(bulk.repeat_interleave(3, 1) / 3, 10.0)
    shards = 1000 * bulk[:36].view(1, 6, 6, 33)
    whole = network.encode(shards.repeat_interleave(3, -1) / 3)
    network.width = 3
    for one, other in zip(whole, network.encode(shards), strict=True):
        assert one is not None
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


def _doubles(*shape: int) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("spacing", "shifts"), [(1, 5), (3, 3)])
def test_gradients_in_closed_form_are_those_of_small_differences(spacing: int, shifts: int) -> None:
    torch.manual_seed(5)
    moved = lambda spectra, share: _Moved.apply(spectra, share, spacing)  # noqa: E731
    torch.autograd.gradcheck(moved, (_doubles(2, 11), _doubles(4, shifts)))
    torch.autograd.gradcheck(_Projected.apply, (_doubles(2, 3, 7), _doubles(2, 4, 7)))
    torch.autograd.gradcheck(_Composed.apply, (_doubles(2, 3, 4), _doubles(2, 5, 7)))
    offsets = torch.tensor([[-2.3, -1.4, -0.6, 0.2, 0.9, 1.7, 2.8]], dtype=torch.float64)
    torch.autograd.gradcheck(_Keys.apply, (offsets.requires_grad_(),))


def test_noise_is_that_of_each_shard() -> None:
    network = _adapted((8, 8, 40)).train()
    shards = 1000 * _bulk(40)[:128].reshape(2, 8, 8, 40)

    def drawn(*seeds: int) -> Tensor:
        sources = [torch.Generator().manual_seed(seed) for seed in seeds]
        return network(shards[: len(seeds)], sources)[0].detach()

    both = drawn(3, 4)
    torch.testing.assert_close(both[:1], drawn(3), rtol=1e-4, atol=1e-4)
    assert (drawn(5)[0] - both[0]).abs().max() > 1e-3
