"""How the weights of a network are moved in one cycle."""

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from hyperspy_cvae.networks import CVAENetwork
from hyperspy_cvae.training._config import TrainingConfig

_DECAY = 0.01


class OneCycle:
    r"""Muon for the hidden weights and AdamW for all others, each with one cycle of its rate.

    Muon moves a matrix of weights by the nearest orthogonal one to its momentum, by a
    Newton-Schulz iteration: all directions by as much, also those whose gradients are small. Of
    bulk that is rare, or differs little, a network learns more in as many steps. A kernel of a
    convolution is a matrix with one row for each of its outputs.

    Parameters
    ----------
    network
        The network, on its device; :meth:`CVAENetwork.hidden_weights` tells which are Muon's.
    config
        Its two learning rates.
    steps
        How many there will be.

    References
    ----------
    K. Jordan et al., https://kellerjordan.github.io/posts/muon (2024); L. N. Smith, N. Topin,
    arXiv:1708.07120, on one cycle.
    """

    def __init__(self, network: CVAENetwork, config: TrainingConfig, steps: int) -> None:
        self._network = network
        hidden = network.hidden_weights()
        # Matrices of the same memory: what Muon moves are the weights themselves.
        self._matrices = [
            (weight, nn.Parameter(weight.data.view(len(weight), -1))) for weight in hidden
        ]
        known = {id(weight) for weight in hidden}
        others = [weight for weight in network.parameters() if id(weight) not in known]
        on_mps = any(weight.device.type == "mps" for weight in others)
        adamw = torch.optim.AdamW(others, config.learning_rate, fused=not on_mps)
        self._optimisers: list[torch.optim.Optimizer] = [adamw]
        self._cycles = [OneCycleLR(adamw, config.learning_rate, total_steps=steps)]
        if hidden:
            rate = config.hidden_learning_rate
            muon = torch.optim.Muon([matrix for _, matrix in self._matrices], rate, _DECAY)
            self._optimisers.append(muon)
            self._cycles.append(OneCycleLR(muon, rate, total_steps=steps, cycle_momentum=False))

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._network.zero_grad()

    def step(self) -> None:
        """Move the weights, and the rates along their cycles."""
        for weight, matrix in self._matrices:
            matrix.grad = None if weight.grad is None else weight.grad.view_as(matrix)
        for optimiser, cycle in zip(self._optimisers, self._cycles, strict=True):
            optimiser.step()
            cycle.step()
