"""The objective: soft-target cross-entropy over energy plus the KL divergence."""

from typing import Any

import torch
from torch import Tensor


def cross_entropy(target: Tensor, logits: Tensor) -> Tensor:
    r"""Soft-target cross-entropy of each spectrum, in nats.

    .. math:: CE(y, a) = -\sum_e y_e \log \mathrm{softmax}(a)_e

    with the softmax over energy (Sultanov et al., Small 2025, eq. 2).

    Parameters
    ----------
    target
        Normalised spectra y, ``(..., energy)``, each with a sum of 1. Dark-corrected channels may
        be slightly negative.
    logits
        Output a of the network before the softmax, ``(..., energy)``.

    Examples
    --------
    >>> import torch
    >>> from hyperspy_cvae.training import cross_entropy
    >>> cross_entropy(torch.tensor([0.5, 0.5]), torch.zeros(2))
    tensor(0.6931)
    """
    return _CrossEntropy.apply(target, logits)


class _CrossEntropy(torch.autograd.Function):
    """The cross-entropy with its gradient in closed form: a third of the passes over a shard."""

    @staticmethod
    def forward(context: Any, target: Tensor, logits: Tensor) -> Tensor:
        probability = torch.softmax(logits, -1)
        largest, channel = probability.max(-1, keepdim=True)
        normalisation = (logits.gather(-1, channel) - largest.log()).squeeze(-1)
        total = target.sum(-1)
        context.save_for_backward(target, probability, total)
        return total * normalisation - torch.einsum("...e,...e->...", target, logits)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[None, Tensor]:
        target, probability, total = context.saved_tensors
        departure = probability * (total * gradient).unsqueeze(-1)
        return None, departure.addcmul_(target, gradient.unsqueeze(-1), value=-1)


def entropy(target: Tensor) -> Tensor:
    """Entropy of each normalised spectrum in nats: the floor of the cross-entropy.

    Channels that are negative after dark correction count as empty.
    """
    return -torch.xlogy(target.clamp_min(0), target.clamp_min(0)).sum(-1)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Divergence of each shard's posterior from the standard normal, in nats.

    .. math:: KL = -\tfrac{1}{2} \sum_j (1 + \log \sigma_j^2 - \mu_j^2 - \sigma_j^2)

    (eq. 3), for ``mean`` and ``log_variance`` of shape ``(..., latent)``.
    """
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(-1)


def cvae_loss(
    target: Tensor,
    weight: Tensor,
    logits: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    *,
    beta: float | Tensor,
    likelihood_weight: float,
    total: Tensor | None = None,
) -> Tensor:
    r"""Loss of a batch of shards, per spectrum and unit of likelihood weight.

    .. math::

        \frac{1}{n \sum_i w_i} \Big( \sum_i n \, w_i \, CE(y_i, a_i) + \beta \sum_s KL_s \Big)

    This is eq. 1 of the paper with the weight n of the likelihood made explicit, divided by a
    constant so that its size does not depend on n. The log-likelihood of a spectrum of n
    electrons is n times its cross-entropy; with n = 1 the KL term would outweigh everything that
    varies in the bulk, and the network would return the mean spectrum (posterior collapse).

    Parameters
    ----------
    target
        Normalised spectra y, ``(batch, rows, columns, energy)``.
    weight
        Weight w of each spectrum, ``(batch, rows, columns)``: 0 leaves it out.
    logits, mean, log_variance
        Output of the network for these shards.
    beta
        Weight of the KL divergence; 1.2 in the paper.
    likelihood_weight
        n, about the number of electrons in a spectrum.
    total
        Sum of the weights of the whole batch, if these are some of its shards.
    """
    likelihood = (weight * cross_entropy(target, logits)).sum()
    divergence = kl_divergence(mean, log_variance).sum()
    total = weight.sum() if total is None else total
    return (likelihood + beta / likelihood_weight * divergence) / total.clamp_min(1)
