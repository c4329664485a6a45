"""Cubes block by block: in threads, from disk, or on a cluster."""

from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import dask.array as da
import numpy as np
import torch
from dask import compute, delayed
from dask.array.overlap import overlap, trim_overlap
from numpy.typing import NDArray

Cube = NDArray[np.float32] | da.Array
"""``(rows, columns, energy)``; as a dask array it may be larger than memory."""

_BLOCK = 32 * 2**20  # bytes: large beside the cost of a task, and some dozens fit into memory
_IN_MEMORY = 256 * 2**20  # bytes


def in_blocks(cube: Cube) -> da.Array:
    """Return a cube in blocks of pixels that hold all energies: a view of one in memory.

    Examples
    --------
    >>> in_blocks(np.zeros((6, 5, 4), np.float32)).numblocks[2]
    1
    """
    if isinstance(cube, da.Array):
        chunks = {0: "auto", 1: "auto", 2: -1}
        return cube.rechunk(chunks, block_size_limit=_BLOCK)
    number = max(torch.get_num_threads(), -(-cube.nbytes // _BLOCK))
    rows = max(1, -(-cube.shape[0] // number))
    return da.from_array(cube, (rows, -1, -1), name=False)


def blockwise(
    function: Callable[..., NDArray[Any]],
    *cubes: Cube | NDArray[Any],
    channels: int,
    reach: int = 0,
    dtype: Any = np.float32,
) -> da.Array:
    """Return what a function makes of each block of some cubes, in the blocks of the first.

    Nothing is computed yet.

    Parameters
    ----------
    function
        Takes a block of each cube, ``(rows, columns, energy)``, and returns one of the same rows
        and columns.
    cubes
        Of the same rows and columns; or maps ``(rows, columns)``, of which the function gets blocks
        with one channel.
    channels
        How many channels it returns.
    reach
        Pixels around each block that it is to be given, as far as there are any.
    dtype
        Of what it returns.

    Examples
    --------
    >>> cube = np.ones((6, 5, 4), np.float32)
    >>> total = blockwise(lambda block: block.sum(-1, keepdims=True), cube, channels=1)
    >>> total.compute().shape
    (6, 5, 1)
    """
    blocks = _aligned(cubes, reach)
    # Where a block ends with the scan, the function is to see that it does.
    depth = {axis: reach if blocks[0].numblocks[axis] > 1 else 0 for axis in range(2)}
    if any(depth.values()):
        blocks = [overlap(each, depth, "none") for each in blocks]
    chunks = (*blocks[0].chunks[:2], (channels,))
    meta = np.empty((0, 0, 0), dtype)
    result = da.map_blocks(function, *blocks, dtype=dtype, chunks=chunks, meta=meta)
    return trim_overlap(result, depth, "none") if any(depth.values()) else result


def _aligned(cubes: Sequence[Cube | NDArray[Any]], reach: int = 0) -> list[da.Array]:
    """Return cubes and maps in the blocks of the first."""
    first = in_blocks(cubes[0])
    # An overlap is less than the extent of the blocks.
    first = first.rechunk({axis: -1 for axis in range(2) if first.shape[axis] <= 2 * reach})
    blocks = [first]
    for each in cubes[1:]:
        array = each if isinstance(each, da.Array) else da.from_array(each, -1, name=False)
        array = array[..., np.newaxis] if array.ndim == 2 else array
        blocks.append(array.rechunk((*first.chunks[:2], -1)))
    return blocks


def to_map(
    function: Callable[..., NDArray[Any]],
    *cubes: Cube | NDArray[Any],
    reach: int = 0,
    dtype: Any = np.float64,
) -> NDArray[Any]:
    """Compute a map ``(rows, columns)`` of such maps of each block; see :func:`blockwise`."""

    def with_channel(*blocks: NDArray[Any]) -> NDArray[Any]:
        return function(*blocks)[..., np.newaxis]

    result = blockwise(with_channel, *cubes, channels=1, reach=reach, dtype=dtype)
    return np.asarray(result[..., 0].compute())


def totals(
    function: Callable[..., NDArray[Any]], *cubes: Cube | NDArray[Any]
) -> NDArray[np.float64]:
    """Compute the sum of the spectra ``(channels,)`` that a function makes of each block.

    Examples
    --------
    >>> totals(lambda block: block.sum((0, 1)), np.ones((6, 5, 4), np.float32))
    array([30., 30., 30., 30.])
    """
    first, *others = _aligned(cubes)
    blocks = [each.to_delayed().ravel() for each in (first, *others)]
    parts = [delayed(function)(*each) for each in zip(*blocks, strict=True)]
    return np.sum(compute(*parts), axis=0, dtype=np.float64)


def spectra_at(cube: Cube, pixels: NDArray[np.bool_] | tuple[NDArray[np.intp], ...]) -> Any:
    """Return the spectra of some pixels, ``(pixels, energy)``.

    Examples
    --------
    >>> spectra_at(np.zeros((6, 5, 4), np.float32), np.eye(6, 5, dtype=bool)).shape
    (5, 4)
    """
    if not isinstance(cube, da.Array):
        return cube[pixels]
    places = pixels if isinstance(pixels, tuple) else np.nonzero(pixels)
    return cube.vindex[places].compute()


def kept(cube: Cube) -> da.Array:
    """Compute a cube that is needed more than once: in memory if it is small, else on disk."""
    if not isinstance(cube, da.Array):
        return in_blocks(cube)
    if cube.nbytes <= _IN_MEMORY:
        return cube.persist()
    store = _Store(cube.shape, cube.dtype)
    da.store(cube, store, lock=False)  # type: ignore[arg-type]
    return da.from_array(store, cube.chunks, name=False)


class _Store:
    """An array in a file of its own, which goes with it.

    The file is mapped anew every time, for what is mapped counts as memory until it is not.
    """

    ndim = 3

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        self._folder = TemporaryDirectory(prefix="hyperspy_cvae-", ignore_cleanup_errors=True)
        self._mapped("w+")

    def _mapped(self, mode: Any) -> np.memmap[Any, Any]:
        path = f"{self._folder.name}/cube"
        return np.memmap(path, self.dtype, mode, shape=self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.array(self._mapped("r")[key])

    def __setitem__(self, key: Any, values: NDArray[Any]) -> None:
        self._mapped("r+")[key] = values
