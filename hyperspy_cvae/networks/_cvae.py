"""What every network of the registry has in common: encode, sample, decode."""

import torch
from torch import Tensor, nn


class CVAENetwork(nn.Module):
    """A variational autoencoder of shards ``(batch, rows, columns, energy)``.

    A network receives preprocessed intensities and returns what precedes the softmax over
    energy. Subclasses define :meth:`encode`, :meth:`decode` and, if they standardise,
    :meth:`adapt`.
    """

    def encode(self, intensities: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance ``(batch, latent)`` of the approximate posterior of each shard."""
        raise TypeError(f"{type(self).__name__} does not define encode")

    def decode(self, latent: Tensor) -> Tensor:
        """Logits ``(batch, rows, columns, energy)`` of latent vectors ``(batch, latent)``."""
        raise TypeError(f"{type(self).__name__} does not define decode")

    def adapt(self, mean: Tensor, deviation: Tensor, floor: float) -> None:
        """Take note of the bulk's mean normalised spectrum and its deviation per channel."""

    def forward(self, intensities: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, posterior mean and log-variance; the latent vector is drawn while training."""
        mean, log_variance = self.encode(intensities)
        latent = mean
        if self.training:
            latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        return self.decode(latent), mean, log_variance
