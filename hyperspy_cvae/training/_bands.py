"""Bands of the energy axis that a network is not shown, and has to tell from the others."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

# On an axis of a few hundred eV an edge and its fine structure fit into a band.
_BANDS = 8


def energy_bands(channels: int) -> list[tuple[slice, NDArray[np.float32]]]:
    """Return the channels of overlapping bands, and the share of each channel in its band.

    Neighbouring bands overlap by half, and the shares of a channel in its bands add up to one. A
    band is a quarter of the energy axis wide, and those at its ends half of that.

    Examples
    --------
    >>> from hyperspy_cvae.training import energy_bands
    >>> [(band.start, band.stop) for band, _ in energy_bands(32)][:3]
    [(0, 4), (1, 8), (5, 12)]
    """
    width = -(-channels // _BANDS)
    bands = []
    for centre in range(0, channels + width, width):
        band = _band(centre, channels)
        if band.start < channels:
            distance = np.abs(np.arange(band.start, band.stop) - centre)
            bands.append((band, (1 - distance / width).astype(np.float32)))
    return bands


def hide(intensities: Tensor, band: slice, typical: Tensor) -> Tensor:
    """Return spectra whose band holds nothing of their own.

    There they get the typical spectrum, scaled as the rest of the spectrum is.

    Parameters
    ----------
    intensities
        Spectra ``(..., energy)``; left as they are.
    band
        Channels to hide.
    typical
        Typical spectrum ``(energy,)`` on any scale.

    Examples
    --------
    >>> import torch
    >>> from hyperspy_cvae.training import hide
    >>> hide(torch.tensor([2.0, 9.0, 4.0]), slice(1, 2), torch.tensor([1.0, 1.0, 1.0]))
    tensor([2., 3., 4.])
    """
    hidden = intensities.clone()
    # Not the whole less the band, of which rounding would leave a trace.
    hidden[..., band] = 0
    seen_of_typical = typical[: band.start].sum() + typical[band.stop :].sum()
    if seen_of_typical > 0:
        hidden[..., band] = hidden.sum(-1, keepdim=True) * (typical[band] / seen_of_typical)
    return hidden


def hide_at_random(
    intensities: Tensor, random: np.random.Generator, fraction: float, typical: Tensor
) -> Tensor:
    """Return shards ``(batch, rows, columns, energy)``, in a fraction of which a band is hidden.

    A network trained to return them whole can tell a band from the rest of the spectrum.
    """
    shown = intensities.clone()
    channels = intensities.shape[-1]
    for shard in np.flatnonzero(random.random(len(intensities)) < fraction):
        band = _band(int(random.integers(channels)), channels)
        shown[shard] = hide(intensities[shard], band, typical)
    return shown


def _band(centre: int, channels: int) -> slice:
    width = -(-channels // _BANDS)
    return slice(max(0, centre - width + 1), min(centre + width, channels))
