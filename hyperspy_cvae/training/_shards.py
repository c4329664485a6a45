"""Shards as a training draws them: cut from a cube in memory, or read from one on disk."""

from collections.abc import Sequence

import dask.array as da
import numpy as np
import torch
from dask import compute
from torch import Tensor

from hyperspy_cvae.blocks import Cube
from hyperspy_cvae.shards import binned, reflected
from hyperspy_cvae.training._loss import entropy

_SHARE = 0.25  # of a GPU's free memory


class Shards:
    """What is cut from a cube that is in memory, or is read shard by shard."""

    def __init__(
        self,
        cube: Cube,
        weight: np.ndarray,
        shape: tuple[int, int],
        width: int,
        device: torch.device,
    ) -> None:
        self.weight = torch.from_numpy(weight)
        self.shape = shape
        self.device = device
        self.width = width
        self._on_disk: da.Array | None = None
        if isinstance(cube, da.Array):
            self._on_disk = cube
            return
        held = torch.from_numpy(binned(cube, width) if width > 1 else cube)
        self._cube = held.to(device) if _has_room(device, held.nbytes) else held
        self._entropy = torch.stack([entropy(normalise(row)) for row in self._cube])

    def at(self, corners: np.ndarray, steps: Sequence[int] = (1, 1)) -> list[Tensor]:
        """Intensities, weights and entropies of the shards that begin at ``corners`` ``(n, 2)``.

        Beyond the scan it is reflected. ``steps`` of -1 turn rows or columns round.
        """
        rows, columns = (
            np.stack([reflected(first, size, end)[::step] for first in firsts])
            for firsts, size, end, step in zip(
                corners.T.tolist(), self.shape, self.weight.shape, steps, strict=True
            )
        )
        if self._on_disk is not None:
            intensities = self._read(self._on_disk, rows, columns)
            weight = self.weight[rows[:, :, None], columns[:, None]]
            return [
                each.to(self.device)
                for each in (intensities, weight, entropy(normalise(intensities)))
            ]
        pixels = torch.from_numpy(rows[:, :, None] * self.weight.shape[1] + columns[:, None])
        flat, shape = pixels.ravel(), pixels.shape
        there = flat.to(self._cube.device)
        shards = (
            self._cube.flatten(0, 1).index_select(0, there).unflatten(0, shape),
            self.weight.ravel()[flat].view(shape),
            self._entropy.ravel()[there].view(shape),
        )
        return [each.to(self.device) for each in shards]

    def _read(self, cube: da.Array, rows: np.ndarray, columns: np.ndarray) -> Tensor:
        ends = [
            [slice(each.min(), each.max() + 1) for each in shards] for shards in (rows, columns)
        ]
        blocks = compute(*(cube[row, column] for row, column in zip(*ends, strict=True)))
        shards = [
            binned(block[np.ix_(row - row.min(), column - column.min())], self.width)
            for block, row, column in zip(blocks, rows, columns, strict=True)
        ]
        return torch.from_numpy(np.stack(shards))


def _has_room(device: torch.device, size: int) -> bool:
    """Whether a GPU can hold so many bytes and have most of its memory free for training."""
    return device.type == "cuda" and size <= _SHARE * torch.cuda.mem_get_info(device)[0]


def normalise(spectra: Tensor) -> Tensor:
    """Spectra over their sum; without counts they stay, and weigh nothing."""
    total = spectra.sum(-1, keepdim=True)
    return spectra / torch.where(total > 0, total, 1)
