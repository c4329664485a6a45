"""Loss and gradient of one batch of shards."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn

from hyperspy_cvae.networks import CVAENetwork
from hyperspy_cvae.training._capture import captured
from hyperspy_cvae.training._loss import cvae_loss, kl_divergence


class Batch(NamedTuple):
    """Shards of one step, ``(batch, rows, columns)`` and energy.

    What the network is shown, the spectra that it is to return, their weights and entropies, and
    the sum of the weights of all processes' shards.
    """

    shown: Tensor
    target: Tensor
    weight: Tensor
    floor: Tensor
    total: Tensor


class Step:
    """What leaves the gradient of a batch's loss in a network.

    What the first batch makes a GPU do is captured as a graph, which is replayed for all others,
    unless several processes share a batch.

    Parameters
    ----------
    network
        The network.
    likelihood_weight
        Weight n of the likelihood; see :func:`cvae_loss`.
    gradient_clip
        Largest norm of the gradient.
    parts
        How many processes share a batch.
    """

    def __init__(
        self, network: CVAENetwork, likelihood_weight: float, gradient_clip: float, parts: int
    ) -> None:
        self._network = network
        self._likelihood_weight = likelihood_weight
        self._gradient_clip = gradient_clip
        self._parts = parts
        self._graph: _Graph | None = None

    def __call__(self, batch: Batch, beta: float, seeds: Sequence[int] | None = None) -> Tensor:
        """Return the cross-entropy above the entropy, weight and divergence, each summed up.

        Noise is drawn by a seed for each shard, if there are any and no graph is replayed.
        """
        device = batch.shown.device
        if device.type != "cuda" or self._parts > 1:
            self._network.zero_grad()
            sources = [torch.Generator(device).manual_seed(seed) for seed in seeds or ()]
            return self._gradient(batch, beta, sources or None)
        if not self._graph:
            self._graph = _Graph(self, batch)
        return self._graph.replay(batch, beta)

    def _gradient(
        self,
        batch: Batch,
        beta: float | Tensor,
        random: Sequence[torch.Generator] | None = None,
    ) -> Tensor:
        logits, mean, log_variance = self._network(batch.shown, random)
        loss = cvae_loss(
            batch.target,
            batch.weight,
            logits,
            mean,
            log_variance,
            beta=beta,
            likelihood_weight=self._likelihood_weight,
            total=batch.total,
        )
        loss.backward()
        if self._parts > 1:
            self._add_up()
        nn.utils.clip_grad_norm_(self._network.parameters(), self._gradient_clip)
        with torch.no_grad():
            divergence = kl_divergence(mean, log_variance).sum()
            fit = loss * batch.total.clamp_min(1)
            fit -= beta / self._likelihood_weight * divergence
            fit -= (batch.weight * batch.floor).sum()
            return torch.stack([fit, batch.weight.sum(), divergence])

    def _add_up(self) -> None:
        """Give every process the sum of the gradients of all."""
        gradients = [w.grad for w in self._network.parameters() if w.grad is not None]
        together = torch.cat([each.ravel() for each in gradients])
        distributed.all_reduce(together)
        parts = together.split([each.numel() for each in gradients])
        for each, part in zip(gradients, parts, strict=True):
            each.copy_(part.view_as(each))


class _Graph:
    """A step as one graph of what a GPU does, on tensors of its own."""

    def __init__(self, step: Step, batch: Batch) -> None:
        self._batch = Batch(*map(torch.clone, batch))
        self._beta = torch.zeros((), device=batch.shown.device)

        def gradient() -> None:
            step._network.zero_grad()  # so that gradients are made in the graph, and stay there
            self._found = step._gradient(self._batch, self._beta)

        self._graph = captured(gradient)

    def replay(self, batch: Batch, beta: float) -> Tensor:
        for own, given in zip(self._batch, batch, strict=True):
            own.copy_(given)
        self._beta.fill_(beta)
        self._graph.replay()
        return self._found.clone()
