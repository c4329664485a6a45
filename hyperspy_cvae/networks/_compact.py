"""The default network: patches in, patches out, small enough for a laptop."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperspy_cvae.networks._cvae import CVAENetwork

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class CompactConfig:
    """A 3D-CVAE that two CPU cores train in about a minute.

    The stem cuts a shard into patches of ``patch`` voxels (kernel = stride); two 3 x 3 x 3
    convolutions of stride 2 follow. The decoder mirrors them with kernel = stride, which on a CPU
    is several times faster than overlapping transposed convolutions.

    Parameters
    ----------
    latent
        Length of the latent vector of a shard.
    features
        Number of features after the stem and after each convolution.
    patch
        Rows, columns and channels of a patch.
    """

    latent: int = 48
    features: tuple[int, int, int] = (16, 32, 64)
    patch: tuple[int, int, int] = (2, 2, 8)


class CompactNetwork(CVAENetwork):
    """The patch-stem 3D-CVAE for shards of ``(rows, columns, channels)``.

    The input is normalised to a sum of one per spectrum and standardised per channel; the output
    starts at the logarithm of the bulk's mean spectrum and is scaled per channel by the relative
    deviation of the bulk (:meth:`adapt`), so that training begins at the mean spectrum and learns
    only what varies.
    """

    mean: Tensor
    deviation: Tensor
    floor: Tensor

    def __init__(self, shape: tuple[int, int, int], config: CompactConfig) -> None:
        super().__init__()
        self.shape = shape
        strides = _strides(shape, config.patch)
        total = [math.prod(axis) for axis in zip(*strides, strict=True)]
        self.padded = [-(-n // t) * t for n, t in zip(shape, total, strict=True)]
        first, second, third = config.features
        # 3-wide kernels shrink to 1 on an axis that is not halved: a line scan has no neighbours.
        inner = [_triple(3 if s > 1 else 1 for s in stride) for stride in strides[1:]]
        padding = [_triple(k // 2 for k in kernel) for kernel in inner]
        self.convolutions = nn.Sequential(
            nn.Conv3d(1, first, strides[0], strides[0]),
            nn.SiLU(),
            nn.Conv3d(first, second, inner[0], strides[1], padding[0]),
            nn.SiLU(),
            nn.Conv3d(second, third, inner[1], strides[2], padding[1]),
            nn.SiLU(),
        )
        coarse = [n // t for n, t in zip(self.padded, total, strict=True)]
        self.to_latent = nn.Linear(third * math.prod(coarse), 2 * config.latent)
        self.from_latent = nn.Sequential(
            nn.Linear(config.latent, third * math.prod(coarse)),
            nn.SiLU(),
            nn.Unflatten(1, (third, *coarse)),
        )
        self.mirror = nn.Sequential(
            nn.ConvTranspose3d(third, second, strides[2], strides[2]),
            nn.SiLU(),
            nn.ConvTranspose3d(second, first, strides[1], strides[1]),
            nn.SiLU(),
            nn.ConvTranspose3d(first, 1, strides[0], strides[0]),
        )
        channels = shape[2]
        self.register_buffer("mean", torch.full((channels,), 1.0 / channels))
        self.register_buffer("deviation", torch.full((channels,), 1.0 / channels))
        self.register_buffer("floor", torch.zeros(1))
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def adapt(self, mean: Tensor, deviation: Tensor, floor: float) -> None:
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)
        self.floor.fill_(floor)

    def encode(self, intensities: Tensor) -> tuple[Tensor, Tensor]:
        total = intensities.sum(-1, keepdim=True).clamp_min(self.floor)
        standard = (intensities / total - self.mean) / self.deviation
        pad = [
            p for n, m in zip(self.shape[::-1], self.padded[::-1], strict=True) for p in (0, m - n)
        ]
        volume = functional.pad(standard, pad).unsqueeze(1)
        volume = volume.contiguous(memory_format=torch.channels_last_3d)
        features = self.convolutions(volume).flatten(1)
        mean, log_variance = self.to_latent(features).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, latent: Tensor) -> Tensor:
        rows, columns, channels = self.shape
        volume = self.from_latent(latent).contiguous(memory_format=torch.channels_last_3d)
        departure = self.mirror(volume)[:, 0, :rows, :columns, :channels]
        return torch.log(self.mean) + departure * (self.deviation / self.mean)


def _strides(shape: Triple, patch: Triple) -> list[Triple]:
    """Strides of the three layers: an axis is divided only as often as its length bears."""
    strides = []
    left = list(shape)
    for wanted in (patch, (2, 2, 2), (2, 2, 2)):
        stride = _triple(min(w, n) for w, n in zip(wanted, left, strict=True))
        left = [n // s for n, s in zip(left, stride, strict=True)]
        strides.append(stride)
    return strides


def _triple(numbers: Iterable[int]) -> Triple:
    rows, columns, channels = numbers
    return rows, columns, channels
