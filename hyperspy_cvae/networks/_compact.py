"""The default network: few numbers per pixel, small enough for a laptop."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hyperspy_cvae.networks._cvae import CVAENetwork

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
        self.to_code = nn.Sequential(
            nn.Conv2d(components, 48, 5, padding=2),
            nn.SiLU(),
            nn.Conv2d(48, 48, 3, padding=3, dilation=3),
            nn.SiLU(),
            nn.Conv2d(48, 48, 1),
            nn.SiLU(),
            nn.Conv2d(48, config.code + config.contrast, 1),
        )
        width = config.mixture
        self.of_row = nn.Sequential(
            nn.Linear(config.latent, width * self.rows), nn.Unflatten(1, (width, self.rows, 1))
        )
        self.of_column = nn.Sequential(
            nn.Linear(config.latent, width * self.columns),
            nn.Unflatten(1, (width, 1, self.columns)),
        )
        self.of_surroundings = nn.Sequential(
            nn.Linear(config.latent, width * math.prod(coarse)),
            nn.Unflatten(1, (width, *coarse)),
            nn.Upsample((self.rows, self.columns), mode="bilinear", align_corners=False),
        )
        self.of_code = nn.Conv2d(config.code + config.contrast, width, 1)
        self.compose = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(width, width, 1),
            nn.SiLU(),
            nn.Conv2d(width, components, 1),
        )
        self.spectrum = nn.Linear(components, channels)
        self.register_buffer("floor", torch.zeros(1))

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
        total = intensities.sum(-1, keepdim=True).clamp_min(self.floor)
        spectral, _ = self._layers()
        row = (intensities.sum(2) / total.sum(2)) @ spectral.T + self.spectral.bias
        drift = self.to_drift(row.transpose(1, 2)).squeeze(1)
        # Divided after the product, which is far smaller than the shard.
        weight = self._drifted(spectral, drift)
        components = torch.einsum("brce,brke->brck", intensities, weight) / total
        components = (components + self.spectral.bias).permute(0, 3, 1, 2)
        # The convolutions are normalised, and tell little of what is the same all over the shard.
        level = nn.functional.adaptive_avg_pool2d(components, self.coarse).flatten(1)
        level = level.clamp(-_FARTHEST_LEVEL, _FARTHEST_LEVEL)
        features = torch.cat([self.convolutions(components), level], 1)
        mean, log_variance = self.to_latent(features).chunk(2, dim=1)
        drift = drift[:, :, None, None].expand(-1, -1, self.columns, -1)
        return mean, log_variance, torch.cat([self._code(components), drift], -1)

    def decode(self, latent: Tensor, code: Tensor | None) -> Tensor:
        assert code is not None
        numbers, drift = code[..., :-1], code[:, :, 0, -1]
        if self.training:
            numbers = numbers + self.config.code_noise * self.noise(numbers)
        features = (
            self.of_code(numbers.permute(0, 3, 1, 2))
            + self.of_row(latent)
            + self.of_column(latent)
            + self.of_surroundings(latent)
        )
        components = self.compose(features).permute(0, 2, 3, 1)
        _, spectra = self._layers()
        one = torch.ones_like(components[..., :1])
        return torch.cat([components, one], -1) @ self._drifted(spectra, drift)

    def _code(self, components: Tensor) -> Tensor:
        """Return the code of each pixel, ``(batch, rows, columns, numbers)``, from -1 to 1."""
        config = self.config
        kind, contrast = self.to_code(components).split([config.code, config.contrast], 1)
        surroundings = nn.functional.avg_pool2d(
            contrast, _SURROUNDINGS, 1, _SURROUNDINGS // 2, count_include_pad=False
        )
        return torch.cat([kind, contrast - surroundings], 1).tanh().permute(0, 2, 3, 1)

    def _layers(self) -> tuple[Tensor, Tensor]:
        """Return the first layer and the last, with its bias, ``(n, energy)``.

        Of channels summed up, what is exact for the spectrum that the last layer's bias makes, and
        to first order near it.
        """
        first = self.spectral.weight
        last = torch.cat([self.spectrum.weight, self.spectrum.bias[:, None]], 1).T
        if self.width == 1:
            return first, last
        whole = last.shape[1] // self.width * self.width
        share = torch.log_softmax(
            self.spectrum.bias.detach()[:whole].unflatten(0, (-1, self.width)), -1
        )
        first, last = (
            torch.einsum("new,ew->ne", layer[:, :whole].unflatten(1, (-1, self.width)), share.exp())
            for layer in (first, last)
        )
        entropy = -(share * share.exp()).sum(-1)
        return first, torch.cat([last[:-1], last[-1:] + entropy])

    def _drifted(self, spectra: Tensor, drift: Tensor) -> Tensor:
        """Return spectra ``(n, energy)`` as they are in each row, ``(batch, rows, n, energy)``.

        Cubic convolution interpolates between whole shifts (R. G. Keys, IEEE Trans. Acoust. 29
        (1981) 1153); beyond the axis a spectrum goes on as it ends.
        """
        farthest = self.farthest / self.width
        spacing = math.ceil(farthest / _SHIFTS)
        steps = math.ceil(farthest / spacing) + 1
        reach = steps * spacing
        padded = nn.functional.pad(spectra, (reach, reach), mode="replicate")
        shifted = padded.unfold(-1, spectra.shape[-1], spacing)
        whole = torch.arange(steps, -steps - 1, -1, dtype=drift.dtype, device=drift.device)
        distance = (farthest / spacing * drift[..., None] - whole).abs()
        near = (1.5 * distance - 2.5) * distance.square() + 1
        far = ((2.5 - 0.5 * distance) * distance - 4) * distance + 2
        share = torch.where(distance < 1, near, torch.where(distance < 2, far, 0))
        return torch.einsum("brs,nse->brne", share, shifted)


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride, padding=1),
        nn.GroupNorm(math.gcd(_GROUPS, outputs), outputs),
        nn.SiLU(),
    ]
