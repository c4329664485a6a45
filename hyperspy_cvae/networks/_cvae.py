"""What every network of the registry has in common: encode, sample, decode."""

from collections.abc import Sequence

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
    large = False
    """Whether its operations take so long that several threads do them sooner than one, and memory
    and time are to be estimated before a training."""
    width = 1
    """Channels of the axis in one of the shards; logits are of sums over as many."""

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

    def decode(
        self, latent: Tensor, code: Tensor | None, random: Sequence[torch.Generator] | None = None
    ) -> Tensor:
        """Logits ``(batch, rows, columns, energy)`` of latent vectors and code.

        What is drawn while training is drawn from ``random``, one source for each shard.
        """
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

    def forward(
        self, intensities: Tensor, random: Sequence[torch.Generator] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, posterior mean and log-variance; the latent vector is drawn while training.

        Parameters
        ----------
        intensities
            Shards ``(batch, rows, columns, energy)``.
        random
            Sources of what is drawn, one for each shard; torch's own by default.
        """
        mean, log_variance, code = self.encode(intensities)
        latent = self.drawn(mean, log_variance, random)
        return self.decode(latent, code, random), mean, log_variance

    def drawn(
        self, mean: Tensor, log_variance: Tensor, random: Sequence[torch.Generator] | None
    ) -> Tensor:
        """Return latent vectors of the posterior while training, else its means."""
        if not self.training:
            return mean
        return mean + noise_like(mean, random) * torch.exp(0.5 * log_variance)


def noise_like(values: Tensor, random: Sequence[torch.Generator] | None) -> Tensor:
    """Return normally distributed numbers, as many as there are values of some shards."""
    if random is None:
        return torch.randn_like(values)
    drawn = torch.empty_like(values)
    for shard, source in zip(drawn, random, strict=True):
        shard.normal_(generator=source)
    return drawn
