"""A network and a scan of any size: shards in, blended spectra out."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import product

import dask.array as da
import numpy as np
import torch
from dask import delayed
from dask.utils import SerializableLock
from numpy.typing import NDArray

from hyperspy_cvae.networks import CVAENetwork, checked_precision
from hyperspy_cvae.shards import blend, reflected, starts
from hyperspy_cvae.threads import in_order, one_thread

Shard = tuple[int, int, NDArray[np.float32]]  # and before it its first row and column

_BATCH = 4
_TILE = 128 * 2**20  # bytes: of a small one most pixels lie in shards of its neighbours, too
_ONE_AT_A_TIME = SerializableLock("hyperspy_cvae.reconstruction")  # a network uses all threads


@dataclass(frozen=True)
class Shardwise:
    """A trained network that is shown a scan shard by shard.

    Parameters
    ----------
    network
        The network.
    shape
        Rows and columns of a shard.
    margin
        How many of them may lie beyond the scan, which is reflected there.
    overlap
        Fraction of a shard that neighbours share.
    device
        Where the network is.
    """

    network: CVAENetwork
    shape: tuple[int, int]
    margin: tuple[int, int]
    overlap: float
    device: torch.device

    def batches(
        self,
        intensities: NDArray[np.float32],
        scan: tuple[int, int],
        corners: Sequence[tuple[int, int]],
        origin: tuple[int, int] = (0, 0),
    ) -> Iterator[tuple[Sequence[tuple[int, int]], torch.Tensor]]:
        """Yield the shards with their first pixel at some corners, some of them at a time.

        Parameters
        ----------
        intensities
            Part of a scan, ``(rows, columns, energy)``, that holds these shards.
        scan
            Rows and columns of the scan.
        corners
            First row and column of each shard.
        origin
            First row and column of the part.
        """
        with torch.no_grad():
            for batch in _some_at_a_time(corners):
                yield batch, self._shards(intensities, scan, batch, origin)

    def _shards(
        self,
        intensities: NDArray[np.float32],
        scan: tuple[int, int],
        corners: Sequence[tuple[int, int]],
        origin: tuple[int, int],
    ) -> torch.Tensor:
        pixels = [map(reflected, corner, self.shape, scan) for corner in corners]
        shards = [
            intensities[np.ix_(*(each - begin for each, begin in zip(some, origin, strict=True)))]
            for some in pixels
        ]
        return torch.from_numpy(np.stack(shards)).to(self.device)

    def blended(
        self,
        intensities: NDArray[np.float32],
        scan: tuple[int, int],
        origin: tuple[int, int] = (0, 0),
        tile: tuple[range, range] | None = None,
    ) -> NDArray[np.float32]:
        """Return the reconstruction of a tile of a scan, of which a part is given.

        Parameters
        ----------
        intensities
            The part, ``(rows, columns, energy)``, with the shards that hold a pixel of the tile.
        scan
            Rows and columns of the scan.
        origin
            First row and column of the part.
        tile
            Rows and columns of the tile; all of the scan by default.
        """
        tile = tile or (range(scan[0]), range(scan[1]))
        step = [max(1, round(n * (1 - self.overlap))) for n in self.shape]
        grid = map(starts, scan, self.shape, step, self.margin)
        corners = list(
            product(
                *(
                    [first for first in each.tolist() if first + n > some[0] and first <= some[-1]]
                    for each, n, some in zip(grid, self.shape, tile, strict=True)
                )
            )
        )

        @torch.no_grad()
        def reconstructed(batch: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
            shown = self._shards(intensities, scan, batch, origin)
            spectra: NDArray[np.float32] = torch.softmax(self.network(shown)[0], -1).cpu().numpy()
            return spectra

        def shards(found: Iterable[NDArray[np.float32]]) -> Iterator[Shard]:
            for batch, spectra in zip(batches, found, strict=True):
                for (row, column), shard in zip(batch, spectra, strict=True):
                    yield row - tile[0][0], column - tile[1][0], shard

        def some() -> torch.Tensor:
            return self._shards(intensities, scan, corners[:_BATCH], origin)

        shape = len(tile[0]), len(tile[1]), intensities.shape[2]
        batches = list(_some_at_a_time(corners))
        with _ONE_AT_A_TIME, checked_precision(self.network, some):
            if self.device.type == "cpu" and not self.network.large:
                with one_thread() as threads:
                    with closing(in_order(reconstructed, batches, threads)) as found:
                        spectra = blend(shards(found), shape)
            else:
                spectra = blend(shards(map(reconstructed, batches)), shape)
        rows, columns = (
            slice(some[0] - begin, some[-1] + 1 - begin)
            for some, begin in zip(tile, origin, strict=True)
        )
        # Some channels of a cube may lie apart in memory, and would be added up less exactly.
        own = np.ascontiguousarray(intensities[rows, columns])
        spectra *= own.sum(-1, keepdims=True)
        return spectra

    def by_tiles(self, intensities: da.Array) -> da.Array:
        """Return the reconstruction of a scan larger than memory; nothing is computed yet."""
        scan, channels = intensities.shape[:2], intensities.shape[2]
        side = max(*self.shape, int(np.sqrt(_TILE / (4 * channels))))
        rows, columns = (
            [range(first, min(first + side, n)) for first in range(0, n, side)] for n in scan
        )

        shardwise = delayed(self, traverse=False)  # one for all tiles, and one copy in each worker

        def reconstructed(*tile: range) -> da.Array:
            near = [
                slice(max(0, some[0] - n), some[-1] + n)
                for some, n in zip(tile, self.shape, strict=True)
            ]
            origin = [each.start for each in near]
            spectra = delayed(Shardwise.blended)(
                shardwise, intensities[tuple(near)], scan, origin, tile
            )
            return da.from_delayed(spectra, (*map(len, tile), channels), np.float32)

        return da.block([[[reconstructed(row, column)] for column in columns] for row in rows])


def _some_at_a_time(
    corners: Sequence[tuple[int, int]],
) -> Iterator[Sequence[tuple[int, int]]]:
    for first in range(0, len(corners), _BATCH):
        yield corners[first : first + _BATCH]
