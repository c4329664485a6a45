"""Corrupted shards: what a network is shown in training and must not reproduce."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_SMALLEST_RADIUS = 1.5
_NARROWEST = 8  # channels
_FARTHEST = 1 / 40  # of the energy axis
_FINE = 1 / 200  # of the energy axis: the scale on which an edge has structure
_AT_STRUCTURE = 0.5  # of the windows


def corrupt(intensities: Tensor, random: np.random.Generator, fraction: float) -> None:
    """Corrupt random discs of shards in random windows of energy.

    A denoising autoencoder is trained to return the uncorrupted shard, so that it relies on what
    a disc's other energies and its surroundings say, and passes on nothing that is foreign to the
    bulk. One or two discs per shard get one of three corruptions: their spectra are moved in
    energy inside the window, replaced by another pixel's (which may be corrupted, too), or
    multiplied by a bump. Half of the
    windows lie anywhere, half where the mean spectrum has structure, drawn as the distance in
    noise that a small shift would make there: elsewhere a shift changes nothing, and nothing is
    learnt from undoing it.

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
    structure = _structure(intensities)
    row, column = np.indices((rows, columns))
    largest = max(_SMALLEST_RADIUS, 0.375 * max(rows, columns))
    for shard in np.flatnonzero(random.random(batch) < fraction):
        for _ in range(random.integers(1, 3)):
            radius = random.uniform(_SMALLEST_RADIUS, largest)
            distance = np.hypot(
                row - random.uniform(-0.5, rows - 0.5), column - random.uniform(-0.5, columns - 0.5)
            )
            disc = np.flatnonzero(distance <= radius)
            window = _window(structure, random)
            if disc.size:
                other = random.integers((batch, rows, columns))
                pixels = torch.from_numpy(disc + shard * rows * columns).to(spectra.device)
                spectra[pixels, window] = _corrupted(
                    spectra[pixels, window], intensities[tuple(other)][window], channels, random
                )


def _structure(intensities: Tensor) -> NDArray[np.float64]:
    """Return how much structure there is up to each channel of the mean spectrum, 0 to 1."""
    mean = intensities.mean((0, 1, 2)).cpu().double().numpy()
    step = max(1, round(_FINE * mean.size))
    change = np.zeros_like(mean)
    change[:-step] = mean[step:] - mean[:-step]
    # In units of the counting noise, which is the root of the counts.
    contrast = change**2 / np.maximum(mean, 1e-3 * np.abs(mean).mean() + np.finfo(float).tiny)
    total = contrast.sum()
    return np.cumsum(contrast) / total if total > 0 else np.linspace(0, 1, mean.size)


def _window(structure: NDArray[np.float64], random: np.random.Generator) -> slice:
    channels = structure.size
    narrowest = min(_NARROWEST, channels)
    widest = max(narrowest, channels // 2)
    width = round(np.exp(random.uniform(np.log(narrowest), np.log(widest))))
    if random.random() < _AT_STRUCTURE:
        channel = int(np.searchsorted(structure, random.random()))
        start = channel - int(random.integers(width))
    else:
        start = int(random.integers(channels - width + 1))
    start = min(max(start, 0), channels - width)
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
