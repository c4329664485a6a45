"""The default network: few numbers per pixel, small enough for a laptop."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hyperspy_cvae.networks._cvae import CVAENetwork, noise_like

_GROUPS = 8
_FARTHEST_LEVEL = 10.0  # standard deviations of the bulk
_SURROUNDINGS = 13  # pixels: more than an atomic column, less than most domains
_SHIFTS = 6  # to either side; between them spectra are interpolated


@dataclass(frozen=True)
class CompactConfig:
    """A 3D-CVAE that two CPU cores train on 192 x 192 x 1312 in about a minute.

    Its first 3D convolution spans the whole energy axis and one pixel, and starts at the
    principal components of the bulk; the others span neighbouring pixels. The decoder puts a
    pixel's spectrum together from what the latent vector of the shard says of the pixel's row, of
    its column and of its surroundings, and from a code of a few noisy numbers that tells which
    kind of bulk the pixel is (a domain wall is sharper than any latent vector can say). The code
    is narrow, so that little of what is not bulk passes. First and last layer are moved along the
    energy axis by the drift of each row, which the row's mean spectrum tells.

    Parameters
    ----------
    latent
        Length of the latent vector of a shard.
    code
        Numbers per pixel in the code that tell its kind.
    contrast
        Numbers per pixel in the code that tell how it differs from its surroundings of 13 x 13
        pixels: what sets layers or domains apart drives the others to their bounds, where they
        cannot tell the atomic columns within.
    code_noise
        Standard deviation of the noise that is added to the code, whose numbers lie between -1
        and 1, while training: it bounds the information that passes.
    drift
        Farthest that the energy axis may have drifted in a row, as a fraction of the axis.
    components
        Spectral components of the first and the last layer.
    features
        Numbers of features of the three strided convolutions.
    mixture
        Number of features from which the decoder composes a pixel.
    """

    latent: int = 48
    code: int = 4
    contrast: int = 4
    code_noise: float = 0.03
    drift: float = 0.01
    components: int = 24
    features: tuple[int, int, int] = (32, 64, 96)
    mixture: int = 96


class CompactNetwork(CVAENetwork):
    """The default 3D-CVAE for shards of ``(rows, columns, channels)``; see :class:`CompactConfig`.

    The input is normalised to a sum of one per spectrum.
    """

    floor: Tensor
    row_means: Tensor
    column_means: Tensor
    row_lines: Tensor
    column_lines: Tensor
    summable = True

    def __init__(self, shape: tuple[int, int, int], config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        self.rows, self.columns, channels = shape
        components = min(config.components, channels)
        first, second, third = config.features
        self.farthest = max(1, round(config.drift * channels))
        self.spectral = nn.Linear(channels, components)
        self.to_drift = nn.Sequential(
            nn.Conv1d(components, 32, 5, padding=2),
            nn.GroupNorm(1, 32),
            nn.SiLU(),
            nn.Conv1d(32, 32, 5, padding=2),
            nn.SiLU(),
            nn.Conv1d(32, 1, 1),
            nn.Tanh(),
        )
        self.convolutions = nn.Sequential(
            *_convolution(components, first, 1),
            *_convolution(first, second, 2),
            *_convolution(second, third, 2),
            *_convolution(third, third, 2),
            nn.Flatten(),
        )
        self.coarse = coarse = math.ceil(self.rows / 8), math.ceil(self.columns / 8)
        self.to_latent = nn.Linear((third + components) * math.prod(coarse), 2 * config.latent)
        numbers = config.code + config.contrast
        self.to_code = nn.Sequential(
            nn.Conv2d(components, 48, 5, padding=2),
            nn.SiLU(),
            nn.Conv2d(48, 48, 3, padding=3, dilation=3),
            _LastAxis(),
            nn.SiLU(),
            nn.Linear(48, 48),
            nn.SiLU(),
            nn.Linear(48, numbers),
        )
        # What the latent vector says is put together where energies lie last, as in a shard.
        width = config.mixture
        self.of_row = nn.Sequential(
            nn.Linear(config.latent, self.rows * width), nn.Unflatten(1, (self.rows, 1, width))
        )
        self.of_column = nn.Sequential(
            nn.Linear(config.latent, self.columns * width),
            nn.Unflatten(1, (1, self.columns, width)),
        )
        self.of_surroundings = nn.Linear(config.latent, math.prod(coarse) * width)
        self.of_code = nn.Linear(numbers, width)
        self.compose = nn.Sequential(
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, components),
        )
        self.spectrum = nn.Linear(components, channels)
        self.register_buffer("floor", torch.zeros(1))
        for name, length, fewer in zip(("row", "column"), shape[:2], coarse, strict=True):
            self.register_buffer(f"{name}_means", _running_means(length))
            self.register_buffer(f"{name}_lines", _lines(fewer, length))

    @torch.no_grad()
    def adapt(self, spectra: Tensor, floor: float) -> None:
        """Start the spectral layers at the principal components of the standardised bulk."""
        self.floor.fill_(floor)
        tiny = 1e-3 / spectra.shape[1]
        mean = spectra.mean(0).clamp_min(tiny)
        deviation = spectra.std(0, correction=0).clamp_min(tiny)
        standard = (spectra - mean) / deviation
        size = self.spectral.out_features
        found = min(size, *standard.shape)
        _, values, vectors = torch.svd_lowrank(standard, min(size + 6, *standard.shape), niter=4)
        scale = (values[:found] / math.sqrt(len(standard))).clamp_min(1e-3)
        weight = (vectors[:, :found] / scale).T / deviation
        self.spectral.weight[:found] = weight
        self.spectral.bias[:found] = -weight @ mean
        self.spectral.weight[found:] = self.spectral.bias[found:] = 0
        # The logarithm of a spectrum departs from that of the mean by its relative departure.
        self.spectrum.weight[:, :found] = vectors[:, :found] * scale * (deviation / mean)[:, None]
        self.spectrum.weight[:, found:] = 0
        self.spectrum.bias.copy_(mean.log())

    def hidden_weights(self) -> list[nn.Parameter]:
        """Return the matrices and kernels that make code and drift of a pixel, and use them.

        Those of the latent vector are larger and gain little.
        """
        path = nn.ModuleList([self.to_drift, self.to_code, self.of_code, self.compose])
        return [
            weight
            for weight in path.parameters()
            if weight.ndim >= 2 and min(weight.shape[0], weight[0].numel()) > 1
        ]

    def encode(self, intensities: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance, numbers, drift = self._encoded(intensities, self._layers()[0])
        drift = drift[:, :, None, None].expand(-1, -1, self.columns, -1)
        return mean, log_variance, torch.cat([numbers, drift], -1)

    def decode(
        self,
        latent: Tensor,
        code: Tensor | None,
        random: Sequence[torch.Generator] | None = None,
    ) -> Tensor:
        assert code is not None
        code = code.expand(len(latent), -1, -1, -1)
        return self._decoded(latent, code[..., :-1], code[:, :, 0, -1], self._layers()[1], random)

    def forward(
        self, intensities: Tensor, random: Sequence[torch.Generator] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        first, last = self._layers()
        mean, log_variance, numbers, drift = self._encoded(intensities, first)
        latent = self.drawn(mean, log_variance, random)
        return self._decoded(latent, numbers, drift, last, random), mean, log_variance

    def _encoded(self, intensities: Tensor, layer: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return posterior, code ``(batch, rows, columns, n)`` and drift of the rows."""
        total = intensities.sum(-1, keepdim=True).clamp_min(self.floor)
        row = (intensities.sum(2) / total.sum(2)) @ layer.T + self.spectral.bias
        drift = self.to_drift(row.transpose(1, 2)).squeeze(1)
        # Divided after the product, which is far smaller than the shard.
        components = _Projected.apply(intensities.flatten(0, 1), self._drifted(layer, drift))
        components = components.view(*total.shape[:3], -1) / total + self.spectral.bias
        images = components.permute(0, 3, 1, 2)
        # The convolutions are normalised, and tell little of what is the same all over the shard.
        level = nn.functional.adaptive_avg_pool2d(images, self.coarse).flatten(1)
        level = level.clamp(-_FARTHEST_LEVEL, _FARTHEST_LEVEL)
        features = torch.cat([self.convolutions(images), level], 1)
        mean, log_variance = self.to_latent(features).chunk(2, dim=1)
        kind, contrast = self.to_code(images).split([self.config.code, self.config.contrast], -1)
        surroundings = _along_both(self.row_means, self.column_means, contrast)
        numbers = torch.cat([kind, contrast - surroundings], -1).tanh()
        return mean, log_variance, numbers, drift

    def _decoded(
        self,
        latent: Tensor,
        numbers: Tensor,
        drift: Tensor,
        layer: Tensor,
        random: Sequence[torch.Generator] | None,
    ) -> Tensor:
        if self.training:
            numbers = numbers + self.config.code_noise * noise_like(numbers, random)
        surroundings = self.of_surroundings(latent).unflatten(1, (*self.coarse, -1))
        features = (
            self.of_code(numbers)
            + self.of_row(latent)
            + self.of_column(latent)
            + _along_both(self.row_lines, self.column_lines, surroundings)
        )
        components = self.compose(features)
        logits = _Composed.apply(components.flatten(0, 1), self._drifted(layer, drift))
        return logits.view(*components.shape[:3], -1)

    def _layers(self) -> tuple[Tensor, Tensor]:
        """Return the first layer and the last, with its bias, ``(n, energy)``.

        Of channels summed up, what is exact for the spectrum that the last layer's bias makes, and
        to first order near it.
        """
        first, last = self.spectral.weight, self.spectrum.weight.T
        layers = torch.cat([first, last, self.spectrum.bias[None]])
        if self.width > 1:
            width, whole = self.width, layers.shape[1] // self.width * self.width
            share = torch.log_softmax(
                self.spectrum.bias.detach()[:whole].unflatten(0, (-1, width)), -1
            )
            weighted = layers[:, :whole] * (width * share.exp()).flatten()
            layers = nn.functional.avg_pool1d(weighted, width)
            entropy = -(share * share.exp()).sum(-1)
            layers = torch.cat([layers[:-1], layers[-1:] + entropy])
        first, last = layers.split([len(first), len(last) + 1])
        return first, last

    def _drifted(self, spectra: Tensor, drift: Tensor) -> Tensor:
        """Return spectra ``(n, energy)`` as they are in each row, ``(batch * rows, n, energy)``.

        Cubic convolution interpolates between whole shifts (R. G. Keys, IEEE Trans. Acoust. 29
        (1981) 1153); beyond the axis a spectrum goes on as it ends.
        """
        farthest = self.farthest / self.width
        spacing = math.ceil(farthest / _SHIFTS)
        steps = math.ceil(farthest / spacing) + 1
        whole = torch.arange(steps, -steps - 1, -1, dtype=drift.dtype, device=drift.device)
        offset = farthest / spacing * drift.reshape(-1, 1) - whole
        return _Moved.apply(spectra, _Keys.apply(offset), spacing)


class _Keys(torch.autograd.Function):
    """The kernel of cubic convolution, with its derivative in closed form."""

    @staticmethod
    def forward(context: Any, offset: Tensor) -> Tensor:
        distance = offset.abs()
        near = (1.5 * distance - 2.5) * distance.square() + 1
        far = ((2.5 - 0.5 * distance) * distance - 4) * distance + 2
        slope_near = (4.5 * distance - 5) * distance
        slope_far = (5 - 1.5 * distance) * distance - 4
        is_near, is_beyond = distance < 1, distance >= 2
        slope = torch.where(is_near, slope_near, slope_far).masked_fill_(is_beyond, 0)
        context.save_for_backward(slope * offset.sign())
        return torch.where(is_near, near, far).masked_fill_(is_beyond, 0)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (slope,) = context.saved_tensors
        return gradient * slope


class _Moved(torch.autograd.Function):
    """Mixtures of spectra that are moved along the energy axis, as two products of matrices."""

    @staticmethod
    def forward(context: Any, spectra: Tensor, share: Tensor, spacing: int) -> Tensor:
        """Return those of ``(n, energy)`` by shares ``(m, shifts)``, ``(m, n, energy)``."""
        number, channels = spectra.shape
        shifts = share.shape[1]
        reach = spacing * (shifts // 2)
        padded = nn.functional.pad(spectra, (reach, reach), mode="replicate")
        moved = padded.unfold(-1, channels, spacing).transpose(0, 1).reshape(shifts, -1)
        context.save_for_backward(share, moved)
        context.spacing, context.number = spacing, number
        return (share @ moved).unflatten(-1, (number, channels))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        share, moved = context.saved_tensors
        gradient = gradient.flatten(1)
        of_moved = (share.T @ gradient).unflatten(-1, (context.number, -1))
        shifts, number, channels = of_moved.shape
        reach = context.spacing * (shifts // 2)
        of_padded = gradient.new_zeros(number, channels + 2 * reach)
        for shift, each in enumerate(of_moved):
            first = shift * context.spacing
            of_padded[:, first : first + channels] += each
        of_spectra = of_padded[:, reach : reach + channels]
        of_spectra[:, 0] += of_padded[:, :reach].sum(1)
        of_spectra[:, -1] += of_padded[:, reach + channels :].sum(1)
        return of_spectra, (moved @ gradient.T).T, None


class _Projected(torch.autograd.Function):
    """Products of the spectra of each row with spectra of its own, ``(rows, columns, n)``."""

    @staticmethod
    def forward(context: Any, intensities: Tensor, spectra: Tensor) -> Tensor:
        context.save_for_backward(intensities, spectra)
        return intensities.bmm(spectra.mT)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor]:
        intensities, spectra = context.saved_tensors
        of_intensities = gradient.bmm(spectra) if context.needs_input_grad[0] else None
        return of_intensities, gradient.mT.bmm(intensities)


class _Composed(torch.autograd.Function):
    """Sums of the spectra of each row, the last of them once, ``(rows, columns, energy)``."""

    @staticmethod
    def forward(context: Any, components: Tensor, spectra: Tensor) -> Tensor:
        one = components.new_ones(()).expand(*components.shape[:2], 1)
        components = torch.cat([components, one], -1)
        context.save_for_backward(components, spectra)
        return components.bmm(spectra)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        components, spectra = context.saved_tensors
        return gradient.bmm(spectra[:, :-1].mT), components.mT.bmm(gradient)


class _LastAxis(nn.Module):
    """Images ``(batch, n, rows, columns)`` as ``(batch, rows, columns, n)``."""

    def forward(self, images: Tensor) -> Tensor:
        return images.permute(0, 2, 3, 1)


def _along_both(of_rows: Tensor, of_columns: Tensor, values: Tensor) -> Tensor:
    """Return what two matrices make of the rows and columns of ``(batch, rows, columns, n)``."""
    return of_columns @ (of_rows @ values.flatten(2)).unflatten(-1, values.shape[2:])


def _running_means(length: int) -> Tensor:
    """Return what takes the mean over the surroundings along an axis, ``(length, length)``."""
    place = np.arange(length)
    near = np.abs(place[:, np.newaxis] - place) <= _SURROUNDINGS // 2
    return _as_made(near / near.sum(1, keepdims=True))


def _lines(fewer: int, length: int) -> Tensor:
    """Return what interpolates a few values along an axis linearly, ``(length, fewer)``."""
    place = (np.arange(length) + 0.5) * fewer / length - 0.5
    distance = np.abs(np.clip(place, 0, fewer - 1)[:, np.newaxis] - np.arange(fewer))
    return _as_made(np.maximum(1 - distance, 0))


def _as_made(matrix: NDArray[np.float64]) -> Tensor:
    """Return a matrix where layers are made; torch's own operations there may take a second."""
    return torch.from_numpy(matrix.astype(np.float32)).to(torch.get_default_device())


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride, padding=1),
        nn.GroupNorm(math.gcd(_GROUPS, outputs), outputs),
        nn.SiLU(),
    ]
