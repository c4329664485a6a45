"""Windows over any scan, and blending them back."""

from hyperspy_cvae.shards._blend import blend, window
from hyperspy_cvae.shards._grid import shard_size, starts

__all__ = ["blend", "shard_size", "starts", "window"]
