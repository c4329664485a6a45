"""How the weights of a network are moved in one cycle."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from hyperspy_cvae.networks import CVAENetwork
from hyperspy_cvae.training._capture import captured
from hyperspy_cvae.training._config import TrainingConfig

_DECAY = 0.01
_RISE, _START, _END = 0.3, 1 / 25, 1 / 250_000  # of a cycle; of the peak of its rate
_MOMENTUM = 0.85, 0.95  # of AdamW, where the rate is highest and where it is lowest
_SQUARES, _TINY = 0.999, 1e-8
_MUON_MOMENTUM = 0.95
_NEWTON_SCHULZ, _ITERATIONS = (3.4445, -4.775, 2.0315), 5
_SMALLEST = 1e-7  # norm
_TOGETHER = 48  # rows up to which, or to twice which, ..., matrices are multiplied together


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
        self._config, self._steps, self._done = config, steps, 0
        hidden = network.hidden_weights()
        known = {id(weight) for weight in hidden}
        others = [weight for weight in network.parameters() if id(weight) not in known]
        self._adamw = _AdamW(others)
        self._muon: _Muon | _CapturedMuon | None = None
        if hidden:
            on_gpu = hidden[0].device.type == "cuda"
            self._muon = _CapturedMuon(hidden) if on_gpu else _Muon(hidden)

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights by their gradients, and the rates along their cycles."""
        rate, momentum = one_cycle(self._done, self._steps)
        self._adamw.step(rate * self._config.learning_rate, momentum)
        if self._muon:
            self._muon.step(rate * self._config.hidden_learning_rate)
        self._done += 1


def one_cycle(done: int, steps: int) -> tuple[float, float]:
    """Return the rate of a step as a share of its peak, and AdamW's momentum.

    The rate rises in three tenths of the steps and falls in the others, along half a cosine each.
    The momentum is lowest where the rate is highest.

    Examples
    --------
    >>> [round(one_cycle(done, 10)[0], 2) for done in (0, 2, 9)]
    [0.04, 1.0, 0.0]
    """
    top = _RISE * steps - 1
    rises = done <= top
    begin, end = (0, top) if rises else (top, steps - 1)
    far = (done - begin) / (end - begin) if end > begin else 1.0
    height = (1 - math.cos(math.pi * far)) / 2 if rises else (1 + math.cos(math.pi * far)) / 2
    lowest = _START if rises else _END
    low, high = _MOMENTUM
    return lowest + (1 - lowest) * height, high - (high - low) * height


class _AdamW:
    """AdamW by torch's function: its class imports a compiler first, which takes seconds."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self._weights = list(weights)
        self._means, self._squares = ([torch.zeros_like(each) for each in weights] for _ in "mv")
        self._fused = can_fuse(weights)
        at = weights[0].device if self._fused else torch.device("cpu")
        self._steps = [torch.zeros((), device=at) for _ in weights]

    def step(self, rate: float, momentum: float) -> None:
        """Move the weights."""
        adamw(
            self._weights,
            [each.grad for each in self._weights],  # type: ignore[misc]
            self._means,
            self._squares,
            [],
            self._steps,
            fused=self._fused,
            amsgrad=False,
            beta1=momentum,
            beta2=_SQUARES,
            lr=rate,
            weight_decay=_DECAY,
            eps=_TINY,
            maximize=False,
        )


class _Muon:
    """Muon in float32: many processors multiply bfloat16 several times as slowly.

    Weights are matrices with one row for each of their outputs.
    """

    def __init__(self, weights: list[nn.Parameter]) -> None:
        self._weights = weights
        self._sizes = [weight.numel() for weight in weights]
        self._momentum = torch.cat([torch.zeros_like(weight).ravel() for weight in weights])

    def step(self, rate: float) -> None:
        """Move the weights."""
        gradient = torch.cat([weight.grad.ravel() for weight in self._weights])  # type: ignore[union-attr]
        self._momentum.lerp_(gradient, 1 - _MUON_MOMENTUM)
        parts = gradient.lerp_(self._momentum, _MUON_MOMENTUM).split(self._sizes)
        matrices = [
            part.view(len(weight), -1) for part, weight in zip(parts, self._weights, strict=True)
        ]
        for weight, moved in zip(self._weights, orthogonal(matrices), strict=True):
            rows, columns = moved.shape
            weight.mul_(1 - rate * _DECAY)
            weight.add_(moved.view(weight.shape), alpha=-rate * math.sqrt(max(1, rows / columns)))


def orthogonal(matrices: Sequence[Tensor]) -> list[Tensor]:
    r"""Return about the nearest orthogonal matrix to each, by a Newton-Schulz iteration.

    Of a matrix :math:`X_0` with a norm of 1, :math:`X_{i+1} = P_i X_i` with :math:`P_i = a + b A_i
    + c A_i^2` and :math:`A_i = X_i X_i^T`. All :math:`P_i` are functions of :math:`A_0`, which is
    small: only their product is multiplied with :math:`X_0`.

    Parameters
    ----------
    matrices
        Of any shapes, float32.

    Examples
    --------
    >>> (found,) = orthogonal([torch.randn(3, 40, generator=torch.Generator().manual_seed(0))])
    >>> bool(0.6 < torch.linalg.svdvals(found).min() < torch.linalg.svdvals(found).max() < 1.3)
    True
    """
    wide = [each if each.shape[0] <= each.shape[1] else each.T for each in matrices]
    wide = [each / each.norm().clamp_min(_SMALLEST) for each in wide]
    grams = [each @ each.T for each in wide]
    found: list[Tensor] = [torch.empty(0)] * len(matrices)
    sizes = {-(-len(gram) // _TOGETHER) * _TOGETHER for gram in grams}
    for size in sizes:
        some = [n for n, gram in enumerate(grams) if size - _TOGETHER < len(gram) <= size]
        products = _iterated([grams[n] for n in some], size)
        for n, product in zip(some, products, strict=True):
            rows = len(wide[n])
            result = product[:rows, :rows] @ wide[n]
            found[n] = result if result.shape == matrices[n].shape else result.T
    return found


def _iterated(grams: list[Tensor], size: int) -> Tensor:
    """Return the products of the iteration's factors, filled up to ``(n, size, size)``."""
    a, b, c = _NEWTON_SCHULZ
    gram = grams[0].new_zeros(len(grams), size, size)
    for whole, each in zip(gram, grams, strict=True):
        whole[: len(each), : len(each)] = each
    one = torch.eye(size, device=gram.device)
    product = one
    for _ in range(_ITERATIONS):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c).add_(one, alpha=a)
        product = factor @ product
        gram = factor @ gram @ factor
    return product


class _CapturedMuon:
    """Muon on a GPU, as a graph in which the rate is 1, and in bfloat16.

    There matrices that are zero become directions, along which the weights are then moved.
    """

    def __init__(self, weights: list[nn.Parameter]) -> None:
        # Matrices of the same memory: what is moved are the weights themselves.
        self._weights = weights
        self._matrices = [weight.data.view(len(weight), -1) for weight in weights]
        self._directions = [nn.Parameter(torch.zeros_like(matrix)) for matrix in self._matrices]
        for direction in self._directions:
            direction.grad = torch.zeros_like(direction)
        self._unit = torch.optim.Muon(self._directions, 1.0, 0.0)
        self._graph = captured(self._direct)  # no momentum changes by gradients that are zero

    @torch.no_grad()
    def _direct(self) -> None:
        for direction in self._directions:
            direction.zero_()
        self._unit.step()

    def step(self, rate: float) -> None:
        """Move the weights."""
        for direction, weight in zip(self._directions, self._weights, strict=True):
            direction.grad.copy_(weight.grad.view_as(direction))  # type: ignore[union-attr]
        self._graph.replay()
        for direction, matrix in zip(self._directions, self._matrices, strict=True):
            matrix.mul_(1 - rate * _DECAY)
            matrix.add_(direction, alpha=rate)


def can_fuse(weights: Iterable[Tensor]) -> bool:
    """Whether Adam can move weights in one pass over memory."""
    return all(weight.device.type != "mps" for weight in weights)
