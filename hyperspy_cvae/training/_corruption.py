"""Corrupted shards: what a network is shown in training and must not reproduce."""

import numpy as np
import torch
from torch import Tensor

_SMALLEST_RADIUS = 1.5
_NARROWEST = 8  # channels
_FARTHEST = 1 / 40  # of the energy axis


def corrupt(intensities: Tensor, random: np.random.Generator, fraction: float) -> None:
    """Corrupt random discs of shards in random windows of energy.

    A denoising autoencoder is trained to return the uncorrupted shard, so that it relies on a
    disc's other energies and its surroundings, and passes on no anomaly. One or two discs per
    shard get one of three corruptions: their spectra are moved in energy inside the window,
    replaced by another pixel's (which may be corrupted, too), or multiplied by a bump.

    Parameters
    ----------
    intensities
        Shards ``(batch, rows, columns, energy)``, contiguous; changed in place.
    random
        Source of the draw.
    fraction
        Fraction of the shards that are corrupted.
    """
    batch, rows, columns, channels = intensities.shape
    spectra = intensities.view(-1, channels)
    row, column = np.indices((rows, columns))
    largest = max(_SMALLEST_RADIUS, 0.375 * max(rows, columns))
    for shard in np.flatnonzero(random.random(batch) < fraction):
        for _ in range(random.integers(1, 3)):
            radius = random.uniform(_SMALLEST_RADIUS, largest)
            distance = np.hypot(
                row - random.uniform(-0.5, rows - 0.5), column - random.uniform(-0.5, columns - 0.5)
            )
            disc = np.flatnonzero(distance <= radius)
            window = _window(channels, random)
            if disc.size:
                other = random.integers((batch, rows, columns))
                pixels = torch.from_numpy(disc + shard * rows * columns).to(spectra.device)
                spectra[pixels, window] = _corrupted(
                    spectra[pixels, window], intensities[tuple(other)][window], channels, random
                )


def _window(channels: int, random: np.random.Generator) -> slice:
    narrowest = min(_NARROWEST, channels)
    widest = max(narrowest, channels // 2)
    width = round(np.exp(random.uniform(np.log(narrowest), np.log(widest))))
    start = int(random.integers(channels - width + 1))
    return slice(start, start + width)


def _corrupted(
    spectra: Tensor, other: Tensor, channels: int, random: np.random.Generator
) -> Tensor:
    """Corrupt spectra ``(n, width)``, one of three ways; ``other`` is a spectrum from elsewhere."""
    width = spectra.shape[1]
    kind = random.integers(3)
    if kind == 0:
        farthest = max(1, min(width // 2, round(_FARTHEST * channels)))
        move = int(random.integers(1, farthest + 1)) * int(random.choice([-1, 1]))
        return torch.roll(spectra, move, dims=1)
    if kind == 1:
        total = other.sum()
        return other * torch.where(total > 0, spectra.sum(1, keepdim=True) / total, 1)
    bump = np.sin(np.pi * (np.arange(width) + 0.5) / width) ** 2
    return spectra * torch.from_numpy(1 + random.uniform(-0.5, 0.8) * bump).to(spectra)
