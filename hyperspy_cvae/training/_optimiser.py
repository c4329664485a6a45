"""How the weights of a network are moved in one cycle."""

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from hyperspy_cvae.networks import CVAENetwork
from hyperspy_cvae.training._capture import captured
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
        hidden = network.hidden_weights()
        # Matrices of the same memory: what Muon moves are the weights themselves.
        self._matrices = [
            (weight, nn.Parameter(weight.data.view(len(weight), -1))) for weight in hidden
        ]
        known = {id(weight) for weight in hidden}
        others = [weight for weight in network.parameters() if id(weight) not in known]
        adamw = torch.optim.AdamW(others, config.learning_rate, fused=can_fuse(network))
        self._optimisers: list[torch.optim.Optimizer] = [adamw]
        self._cycles = [OneCycleLR(adamw, config.learning_rate, total_steps=steps)]
        if hidden:
            rate = config.hidden_learning_rate
            kind = _CapturedMuon if hidden[0].device.type == "cuda" else torch.optim.Muon
            muon = kind([matrix for _, matrix in self._matrices], rate, _DECAY)
            self._optimisers.append(muon)
            self._cycles.append(OneCycleLR(muon, rate, total_steps=steps, cycle_momentum=False))

    def step(self) -> None:
        """Move the weights, and the rates along their cycles."""
        for weight, matrix in self._matrices:
            matrix.grad = None if weight.grad is None else weight.grad.view_as(matrix)
        for optimiser, cycle in zip(self._optimisers, self._cycles, strict=True):
            optimiser.step()
            cycle.step()


class _CapturedMuon(torch.optim.Muon):
    """Muon on a GPU, as a graph in which the rate is 1.

    There matrices that are zero become directions, along which the weights are then moved.
    """

    def __init__(self, matrices: list[nn.Parameter], rate: float, decay: float) -> None:
        super().__init__(matrices, rate, decay)
        self._directions = [nn.Parameter(torch.zeros_like(matrix)) for matrix in matrices]
        for direction in self._directions:
            direction.grad = torch.zeros_like(direction)
        self._unit = torch.optim.Muon(self._directions, 1.0, 0.0)
        self._graph = captured(self._direct)  # no momentum changes by gradients that are zero

    @torch.no_grad()
    def _direct(self) -> None:
        for direction in self._directions:
            direction.zero_()
        self._unit.step()

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move the matrices."""
        (group,) = self.param_groups
        for direction, matrix in zip(self._directions, group["params"], strict=True):
            direction.grad.copy_(matrix.grad)  # type: ignore[union-attr]
        self._graph.replay()
        for direction, matrix in zip(self._directions, group["params"], strict=True):
            matrix.mul_(1 - group["lr"] * group["weight_decay"])
            matrix.add_(direction, alpha=group["lr"])


def can_fuse(network: CVAENetwork) -> bool:
    """Whether Adam can move the weights in one pass over memory."""
    return all(weight.device.type != "mps" for weight in network.parameters())
