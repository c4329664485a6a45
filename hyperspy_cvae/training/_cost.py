"""What a training will need, told before it starts."""

import math
import warnings

import numpy as np
import psutil
import torch
from torch.utils.flop_counter import FlopCounterMode

from hyperspy_cvae.networks import NetworkConfig, build_network, is_large, network_name
from hyperspy_cvae.training._config import TrainingConfig, TrainingError

_LONG = 12.0  # hours
# Operations per second of a training of the published network: a step took 13 s on two cores, and
# 20 ms on an H200.
_CPU_FLOPS_PER_CORE = 1.2e10
_GPU_FLOPS = 1.5e13


def choose_device(name: str) -> torch.device:
    """Return the device called ``name``; ``"auto"`` takes CUDA or MPS where present.

    Raises
    ------
    TrainingError
        If there is no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(
            f"device {name!r} cannot be used here ({str(error).splitlines()[0]}): use "
            "device='auto' or 'cpu'."
        ) from None
    return device


def estimate_cost(
    size: tuple[int, int, int],
    network: NetworkConfig,
    config: TrainingConfig,
    device: torch.device,
    scan: tuple[int, int],
) -> tuple[float, float]:
    """Estimate the memory in bytes and the time in hours of a training.

    Operations are counted on a network without memory; the rates of machines differ by factors of
    a few, and so may the hours.

    Parameters
    ----------
    size
        Rows, columns and channels of a shard.
    network, config
        What is trained, and how.
    device
        Where.
    scan
        Rows and columns of the scan.
    """
    with torch.device("meta"):
        model = build_network(size, network)
        shards = torch.empty(config.batch_size, *size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(shards)
    weights = 4 * sum(parameter.numel() for parameter in model.parameters())
    # Weights, gradients, two moments of Adam, the best weights so far and those before; a dozen
    # copies of the shards in the loss.
    memory = 6 * weights + 12 * 4 * config.batch_size * math.prod(size)
    steps = config.epochs * config.steps(math.prod(scan))
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 1
    rate = _GPU_FLOPS if device.type != "cpu" else _CPU_FLOPS_PER_CORE * min(cores, 16)
    # Backward passes take twice the forward one.
    return memory, 3 * counter.get_total_flops() * steps / rate / 3600


def check_cost(
    size: tuple[int, int, int],
    network: NetworkConfig,
    config: TrainingConfig,
    device: torch.device,
    scan: tuple[int, int],
) -> None:
    """Refuse a training for which the memory is lacking, and warn of one that takes very long.

    The compact network is not checked: the estimate takes longer than a short training of it.

    Raises
    ------
    TrainingError
        If it needs more memory than is free.
    """
    if not is_large(network):
        return
    memory, hours = estimate_cost(size, network, config, device, scan)
    if device.type == "cuda":
        free = float(torch.cuda.mem_get_info(device)[0])
    else:
        free = float(psutil.virtual_memory().available)
    name, way_out = network_name(network), "use network='compact', or a GPU with more memory"
    if memory > free:
        raise TrainingError(
            f"Training the {name} network on shards of {size[0]} x {size[1]} x {size[2]} needs "
            f"about {memory / 2**30:.0f} GiB of memory, but {free / 2**30:.0f} GiB are free on "
            f"{device.type}: {way_out}."
        )
    if hours > _LONG:
        warnings.warn(
            f"Training the {name} network will take about {float(np.ceil(hours)):.0f} hours and "
            f"{memory / 2**30:.0f} GiB on {device.type}: interrupt it and use network='compact', "
            "or a GPU.",
            stacklevel=2,
        )
