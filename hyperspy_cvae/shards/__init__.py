"""Windows over any scan, blending them back, and bands of the energy axis."""

from hyperspy_cvae.shards._bands import binned, binned_blocks, channels_of, energy_bands, fine_width
from hyperspy_cvae.shards._blend import blend, window
from hyperspy_cvae.shards._grid import reflected, shard_size, starts

__all__ = [
    "binned",
    "binned_blocks",
    "blend",
    "channels_of",
    "energy_bands",
    "fine_width",
    "reflected",
    "shard_size",
    "starts",
    "window",
]
