"""What every network of the registry has in common: encode, sample, decode."""

import torch
from torch import Tensor, nn


class CVAENetwork(nn.Module):
    """A variational autoencoder of shards ``(batch, rows, columns, energy)``.

    A network receives preprocessed intensities and returns what precedes the softmax over
    energy. Subclasses define :meth:`encode`, :meth:`decode` and, if they learn the scale of
    their input from the bulk, :meth:`adapt`.
    """

    summable = False
    """Whether a network can also be shown channels that are summed up, by ``width``."""
    width = 1
    """Channels of the axis in one of the shards; logits are of sums over as many."""
    share = (0, 1)
    """Which part of a batch a network is shown, and of how many: each has its part of the noise."""

    def encode(self, intensities: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Encode shards.

        Returns
        -------
        mean, log_variance
            Of the approximate posterior of each shard, ``(batch, latent)``.
        code
            What a network tells its decoder of every pixel beside the latent vector of the
            shard, ``(batch, rows, columns, values)``; None if nothing.
        """
        raise TypeError(f"{type(self).__name__} does not define encode")

    def decode(self, latent: Tensor, code: Tensor | None) -> Tensor:
        """Logits ``(batch, rows, columns, energy)`` of latent vectors and code."""
        raise TypeError(f"{type(self).__name__} does not define decode")

    def adapt(self, spectra: Tensor, floor: float) -> None:
        """Take note of the bulk before training.

        Parameters
        ----------
        spectra
            Spectra of the bulk normalised to a sum of one, ``(n, energy)``.
        floor
            Smallest sum of intensities by which a network may divide a spectrum.
        """

    def hidden_weights(self) -> list[nn.Parameter]:
        """Return the matrices and kernels that Muon may move; none by default."""
        return []

    def noise(self, values: Tensor) -> Tensor:
        """Return normally distributed numbers, as many as there are values of its shards."""
        part, parts = self.share
        shards, *each = values.shape
        drawn = torch.randn(parts * shards, *each, dtype=values.dtype, device=values.device)
        return drawn[part * shards :][:shards]

    def forward(self, intensities: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, posterior mean and log-variance; the latent vector is drawn while training."""
        mean, log_variance, code = self.encode(intensities)
        latent = mean
        if self.training:
            latent = mean + self.noise(mean) * torch.exp(0.5 * log_variance)
        return self.decode(latent, code), mean, log_variance
