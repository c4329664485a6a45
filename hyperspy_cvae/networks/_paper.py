"""The published network, layer for layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hyperspy_cvae.networks._cvae import CVAENetwork


@dataclass(frozen=True)
class PaperConfig:
    """The network of Sultanov et al., Small 2025.

    Four strided 3D convolutions, a hidden layer of 512 units and their mirror image: 777 million
    parameters at 24 x 24 x 1312. It needs a GPU.

    Parameters
    ----------
    latent
        Length of the latent vector of a shard.
    """

    latent: int = 48


class PaperNetwork(CVAENetwork):
    """The published 3D-CVAE for shards of ``(rows, columns, channels)``.

    Where the strides do not divide an axis, the mirrored layers get the output padding that
    restores it, so that any number of channels is accepted.
    """

    large = True

    # channels, kernel, stride, padding; of each convolution of the encoder
    _layers = (
        (32, (1, 1, 7), (1, 1, 2), (0, 0, 3)),
        (64, (3, 3, 5), (1, 1, 2), (1, 1, 2)),
        (128, (3, 3, 3), (2, 2, 2), (1, 1, 1)),
        (256, (3, 3, 3), (2, 2, 2), (1, 1, 1)),
    )
    _hidden = 512

    def __init__(self, shape: tuple[int, int, int], config: PaperConfig) -> None:
        super().__init__()
        sizes = [shape]
        encoder: list[nn.Module] = []
        decoder: list[nn.Module] = []
        inputs = 1
        for outputs, kernel, stride, padding in self._layers:
            before = sizes[-1]
            # With an odd kernel padded by half of it, a strided axis of n gives ceil(n / stride).
            rows, columns, energy = (-(-n // s) for n, s in zip(before, stride, strict=True))
            after = (rows, columns, energy)
            extra_r, extra_c, extra_e = (
                n - (m - 1) * s - 1 for n, m, s in zip(before, after, stride, strict=True)
            )
            extra = (extra_r, extra_c, extra_e)
            encoder += [nn.Conv3d(inputs, outputs, kernel, stride, padding), nn.ReLU()]
            decoder += [
                nn.ConvTranspose3d(outputs, inputs, kernel, stride, padding, extra),
                nn.ReLU(),
            ][::-1]
            sizes.append(after)
            inputs = outputs
        rows, columns, energy = sizes[-1]
        features = inputs * rows * columns * energy
        self.encoder = nn.Sequential(
            *encoder,
            nn.Flatten(),
            nn.Linear(features, self._hidden),
            nn.ReLU(),
            nn.Linear(self._hidden, 2 * config.latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(config.latent, self._hidden),
            nn.ReLU(),
            nn.Linear(self._hidden, features),
            nn.ReLU(),
            nn.Unflatten(1, (inputs, rows, columns, energy)),
            *decoder[:0:-1],  # back to front, without the first layer's ReLU: the output is linear
        )

    def encode(self, intensities: Tensor) -> tuple[Tensor, Tensor, None]:
        mean, log_variance = self.encoder(intensities.unsqueeze(1)).chunk(2, dim=1)
        return mean, log_variance, None

    def decode(
        self,
        latent: Tensor,
        code: Tensor | None = None,
        random: Sequence[torch.Generator] | None = None,
    ) -> Tensor:
        return self.decoder(latent).squeeze(1)
