"""Convolutions of reduced precision on a GPU, once they have been checked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from hyperspy_cvae.networks._cvae import CVAENetwork

_TOLERANCE = 2e-3  # TF32 has ten bits of mantissa: a product is off by up to 1e-3


@contextmanager
def checked_precision(network: CVAENetwork, shards: Callable[[], Tensor]) -> Iterator[bool]:
    """Compute convolutions in TF32 where that is as good, and products of matrices in float32.

    NVIDIA's GPUs multiply TF32 several times as fast. Which algorithm computes a convolution
    depends on card, library and sizes, so that it is tried: logits, but for what is the same in all
    channels, and the gradient of their variance are to be those of float32 to two thousandths of
    their norm. Nothing is set, or tried, where there is no such GPU.

    Parameters
    ----------
    network
        On its device; left as it is.
    shards
        Returns some, ``(batch, rows, columns, energy)``, on that device; as many as will be at a
        time.

    Yields
    ------
    bool
        Whether convolutions are computed in TF32.
    """
    if next(network.parameters()).device.type != "cuda":
        yield False
        return
    intensities = shards()
    exact, reduced = (_tried(network, intensities, tf32) for tf32 in (False, True))
    as_good = all(
        bool(torch.linalg.vector_norm(a - b) <= _TOLERANCE * torch.linalg.vector_norm(b))
        for a, b in zip(reduced, exact, strict=True)
    )
    with _precision(as_good):
        yield as_good


def _tried(network: CVAENetwork, intensities: Tensor, tf32: bool) -> tuple[Tensor, Tensor]:
    training = network.training
    network.eval()  # without noise
    kernels = [weight for weight in network.parameters() if weight.ndim > 2]
    with _precision(tf32), torch.enable_grad():
        logits = network(intensities)[0]
        logits = logits - logits.mean(-1, keepdim=True)
        gradients = torch.autograd.grad(logits.square().mean(), kernels)
    network.train(training)
    return logits.detach(), torch.cat([each.ravel() for each in gradients])


@contextmanager
def _precision(tf32: bool) -> Iterator[None]:
    products: Any = torch.backends.cuda.matmul
    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = products.fp32_precision, convolutions.fp32_precision
    products.fp32_precision, convolutions.fp32_precision = "ieee", "tf32" if tf32 else "ieee"
    try:
        yield
    finally:
        products.fp32_precision, convolutions.fp32_precision = before
