"""Convolutions are in TF32 only where that was seen to be as good."""

import pytest
import torch

from hyperspy_cvae.networks import CVAENetwork, build_network, checked_precision, network_config
from hyperspy_cvae.networks import _precision as precision

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


def _network_and_shards(device: str) -> tuple[CVAENetwork, torch.Tensor]:
    torch.manual_seed(1)
    network = build_network((8, 8, 64), network_config("paper")).to(device).train()
    return network, torch.rand(2, 8, 8, 64).to(device)


def _set() -> tuple[str, str]:
    backends = torch.backends
    return backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision


def test_on_a_cpu_nothing_is_tried_or_set() -> None:
    network, _ = _network_and_shards("cpu")
    before = _set()
    with checked_precision(network, lambda: pytest.fail("tried")) as reduced:
        assert not reduced
        assert _set() == before


@pytest.mark.parametrize("tf32", [True, False])
def test_precision_is_set_for_a_while(tf32: bool) -> None:
    before = _set()
    with precision._precision(tf32):
        assert _set() == ("ieee", "tf32" if tf32 else "ieee")
        assert torch.ones(2, 2).matmul(torch.ones(2, 2)).sum() == 8
    assert _set() == before


@needs_gpu
@pytest.mark.parametrize("as_good", [True, False])
def test_on_a_gpu_it_is_tried_and_set_for_a_while(
    as_good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, shards = _network_and_shards("cuda")
    if not as_good:
        monkeypatch.setattr(precision, "_TOLERANCE", 0.0)
    before = _set()
    with checked_precision(network, lambda: shards) as reduced:
        assert reduced == as_good
        assert _set() == ("ieee", "tf32" if as_good else "ieee")
    assert _set() == before
    assert network.training
    assert all(weight.grad is None for weight in network.parameters())
