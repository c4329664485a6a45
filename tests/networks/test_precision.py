"""Convolutions are in TF32 only where that was seen to be as good."""

import pytest
import torch
from torch.backends import cudnn

from hyperspy_cvae.networks import CVAENetwork, build_network, checked_precision, network_config
from hyperspy_cvae.networks import _precision as precision

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


def _network_and_shards(device: str) -> tuple[CVAENetwork, torch.Tensor]:
    torch.manual_seed(1)
    network = build_network((8, 8, 64), network_config("paper")).to(device).train()
    return network, torch.rand(2, 8, 8, 64).to(device)


def test_on_a_cpu_nothing_is_tried_or_set() -> None:
    network, shards = _network_and_shards("cpu")
    before = cudnn.allow_tf32
    network.forward = lambda _: pytest.fail("tried")  # type: ignore[assignment,method-assign]
    with checked_precision(network, shards) as reduced:
        assert not reduced
        assert cudnn.allow_tf32 == before


@needs_gpu
@pytest.mark.parametrize("as_good", [True, False])
def test_on_a_gpu_it_is_tried_and_set_for_a_while(
    as_good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, shards = _network_and_shards("cuda")
    if not as_good:
        monkeypatch.setattr(precision, "_TOLERANCE", 0.0)
    before = cudnn.allow_tf32
    with checked_precision(network, shards) as reduced:
        assert reduced == as_good
        assert cudnn.allow_tf32 == as_good
    assert cudnn.allow_tf32 == before
    assert network.training
    assert all(weight.grad is None for weight in network.parameters())
