"""Cubes block by block: in threads, from disk, or on a cluster."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from itertools import product
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, TypeVar
from uuid import uuid4
from weakref import WeakValueDictionary, finalize

import dask
import dask.array as da
import numpy as np
from dask import compute, delayed
from dask.array.overlap import overlap, trim_overlap
from dask.callbacks import Callback
from dask.system import CPU_COUNT
from numpy.typing import NDArray
from tqdm.auto import tqdm

Cube = NDArray[np.float32] | da.Array
"""``(rows, columns, energy)``; as a dask array it may be larger than memory."""

AnyCube = TypeVar("AnyCube", NDArray[np.float32], da.Array, NDArray[np.float32] | da.Array)
"""What is returned is what was given."""

T = TypeVar("T")
R = TypeVar("R")

_progress = ContextVar("progress", default=False)

_stores: WeakValueDictionary[str, "_Store"] = WeakValueDictionary()

_BLOCK = 8 * 2**20  # bytes: large beside the cost of a task, and some dozens fit into memory
_LARGE_BLOCK = 64 * 2**20  # of a cube in memory: fewer pixels lie around larger blocks
_IN_MEMORY = 256 * 2**20  # bytes


def in_blocks(cube: Cube) -> da.Array:
    """Return a cube in blocks of pixels that hold all energies: a view of one in memory.

    Examples
    --------
    >>> in_blocks(np.zeros((6, 5, 4), np.float32)).numblocks[2]
    1
    """
    if isinstance(cube, da.Array):
        rows, columns, channels = *cube.chunksize[:2], cube.shape[2]
        size, alone = rows * columns * channels * cube.itemsize, cube.numblocks[:2] == (1, 1)
        if size <= 2 * _BLOCK and (alone or size >= _BLOCK / 16):
            return cube.rechunk({2: -1})  # where blocks do not fit into each other, many are held
        return _rechunked(cube, _chunks(cube.shape, cube.itemsize))
    number = max(CPU_COUNT, -(-cube.nbytes // _LARGE_BLOCK))
    rows = max(1, -(-cube.shape[0] // number))
    return _views(cube, da.core.normalize_chunks((rows, -1, -1), cube.shape))


def in_tiles(cube: Cube, side: int) -> da.Array:
    """Return a cube in blocks that are made of whole tiles of so many rows and columns.

    Examples
    --------
    >>> in_tiles(np.zeros((50, 3000, 200), np.float32), 12).chunks[:2]
    ((50,), (204, 204, 204, 204, 204, 204, 204, 204, 204, 204, 204, 204, 204, 204, 144))
    """
    pixels = int(_BLOCK / (cube.dtype.itemsize * cube.shape[2]))
    rows, columns = cube.shape[:2]
    # Where a scan is narrow, its blocks are long: small ones would be put together otherwise.
    high = _tiled(max(int(np.sqrt(pixels)), pixels // columns), side)
    wide = _tiled(pixels // min(high, rows), side)
    chunks = da.core.normalize_chunks((high, wide, -1), cube.shape)
    return _rechunked(cube, chunks) if isinstance(cube, da.Array) else _views(cube, chunks)


def _tiled(extent: int, side: int) -> int:
    return max(1, extent // side) * side


def _views(cube: NDArray[Any], chunks: Any) -> da.Array:
    """Return blocks that are views of a cube in memory; ``dask.array.from_array`` would copy it."""
    name = f"cube-{uuid4().hex}"
    keys = product([name], *(range(len(each)) for each in chunks))
    places = da.core.slices_from_chunks(chunks)
    graph = {key: cube[place] for key, place in zip(keys, places, strict=True)}
    return da.Array(graph, name, chunks, meta=cube[:0])


def _chunks(shape: tuple[int, ...], itemsize: int) -> Any:
    side = max(1, int(np.sqrt(_BLOCK / itemsize / shape[2])))
    return da.core.normalize_chunks((side, side, -1), shape)


def _rechunked(cube: da.Array, chunks: Any) -> da.Array:
    """Return a cube in other blocks; what is on disk is read in them."""
    if cube.name in _stores:
        return _stores[cube.name].in_blocks(chunks)
    return cube.rechunk(chunks)


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return what a function makes of each item, in their order, by as many threads as processors.

    Examples
    --------
    >>> in_threads(abs, [-1, -2, -3])
    [1, 2, 3]
    """
    items = list(items)
    if len(items) < 2:
        return [function(each) for each in items]
    with ThreadPoolExecutor(CPU_COUNT) as pool:
        return list(pool.map(function, items))


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
    # Else dask would make a name of all that a function holds.
    name = f"blocks-{uuid4().hex}"
    result = da.map_blocks(function, *blocks, name=name, dtype=dtype, chunks=chunks, meta=meta)
    return trim_overlap(result, depth, "none") if any(depth.values()) else result


def _aligned(cubes: Sequence[Cube | NDArray[Any]], reach: int = 0) -> list[da.Array]:
    """Return cubes and maps in the blocks of the first."""
    first = in_blocks(cubes[0])
    # An overlap is less than the extent of the blocks.
    first = first.rechunk({axis: -1 for axis in range(2) if first.shape[axis] <= 2 * reach})
    blocks = [first]
    for each in cubes[1:]:
        cube = each[..., np.newaxis] if each.ndim == 2 else each
        chunks = da.core.normalize_chunks((*first.chunks[:2], -1), cube.shape)
        in_place = _rechunked if isinstance(cube, da.Array) else _views
        blocks.append(in_place(cube, chunks))  # type: ignore[arg-type]
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


def sums(cube: Cube, channels: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the sum of each spectrum over some channels, ``(rows, columns)``.

    Examples
    --------
    >>> sums(np.ones((1, 2, 4), np.float32), np.array([True, False, True, True]))
    array([[3., 3.]], dtype=float32)
    """
    weights = channels.astype(np.float32)
    return to_map(lambda block: block @ weights, cube, dtype=np.float32)


def in_memory(cube: Cube) -> NDArray[np.float32]:
    """Return a cube as an array, all of it."""
    return np.asarray(cube.compute() if isinstance(cube, da.Array) else cube)


def totals(
    function: Callable[..., NDArray[Any]], *cubes: Cube | NDArray[Any]
) -> NDArray[np.float64]:
    """Compute the sum of what a function makes of each block, as a spectrum or a matrix.

    Examples
    --------
    >>> totals(lambda block: block.sum((0, 1)), np.ones((6, 5, 4), np.float32))
    array([30., 30., 30., 30.])
    """
    first, *others = _aligned(cubes)
    blocks = [each.to_delayed().ravel() for each in (first, *others)]
    parts = [delayed(function)(*each) for each in zip(*blocks, strict=True)]
    # A few at a time: the parts of a large cube would be as large as it is.
    while len(parts) > 1:
        parts = [delayed(_added)(parts[some : some + 8]) for some in range(0, len(parts), 8)]
    return _added(compute(*parts))


def _added(parts: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    total = np.zeros(parts[0].shape)
    for each in parts:
        total += each
    return total


def gathered(function: Callable[..., R], *cubes: Cube | NDArray[Any]) -> list[R]:
    """Compute what a function makes of each block of some cubes, and of its first row and column.

    Examples
    --------
    >>> cube = np.zeros((6, 5, 4), np.float32)
    >>> found = gathered(lambda block, origin: (origin, block.shape), cube)
    >>> found[0]
    ((0, 0), (3, 5, 4))
    """
    aligned = _aligned(cubes)
    blocks = [each.to_delayed().ravel() for each in aligned]
    firsts = [np.cumsum([0, *each[:-1]]).tolist() for each in aligned[0].chunks[:2]]
    parts = [
        delayed(function)(*each, origin)
        for *each, origin in zip(*blocks, product(*firsts), strict=True)
    ]
    return list(compute(*parts))


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
    if cube.name in _stores:  # of a block no more is read than these
        return _stores[cube.name][places]
    return cube.vindex[places].compute()


def replaced(cube: AnyCube, pixels: NDArray[np.bool_], spectra: NDArray[np.float32]) -> AnyCube:
    """Return a cube with other spectra ``(pixels, energy)`` in some pixels."""
    if isinstance(cube, np.ndarray):
        copy = cube.copy()
        copy[pixels] = spectra
        return copy
    number = np.where(pixels, np.cumsum(pixels).reshape(pixels.shape), 0) - 1

    def with_spectra(block: NDArray[np.float32], number: NDArray[np.intp]) -> NDArray[np.float32]:
        number = number[..., 0]
        block = block.copy()
        block[number >= 0] = spectra[number[number >= 0]]
        return block

    return blockwise(with_spectra, cube, number, channels=cube.shape[2])


def kept(cube: Cube) -> da.Array:
    """Compute a cube that is needed more than once.

    It is kept in memory if it is small, else in a temporary file; by the workers of a cluster if
    one computes.
    """
    if not isinstance(cube, da.Array):
        return in_blocks(cube)
    if _on_cluster():
        from distributed import progress

        held = cube.persist()
        if _progress.get():
            progress(held, notebook=False)
        return held
    small = cube.nbytes <= _IN_MEMORY
    store = _Store(cube.shape, cube.dtype, in_memory=small)
    # What is in memory here is not that of another process.
    how = {"scheduler": "threads"} if small else {}
    da.store(cube, store, lock=False, **how)  # type: ignore[arg-type]
    return store.in_blocks(cube.chunks if small else _chunks(cube.shape, cube.itemsize))


def stored(cube: Cube) -> Cube:
    """Return a cube that will be needed again: what is large goes to a temporary file."""
    return cube if cube.nbytes <= _IN_MEMORY else kept(in_blocks(cube))


@contextmanager
def computing(lazy: bool, show_progressbar: bool = False) -> Iterator[None]:
    """Say how blocks are computed here: those in memory by threads of this process.

    Those of a lazy signal are computed by the scheduler that dask is set to, which is a cluster if
    a ``dask.distributed.Client`` is active.

    Parameters
    ----------
    lazy
        Whether blocks are read from disk.
    show_progressbar
        Whether to show how far each pass over them is, if they are.
    """
    token = _progress.set(show_progressbar and lazy)
    with ExitStack() as stack:
        if _on_cluster() and not lazy:
            stack.enter_context(dask.config.set(scheduler="threads"))
        elif show_progressbar and lazy and not _on_cluster():
            stack.enter_context(_Bar())
        try:
            yield
        finally:
            _progress.reset(token)


def _on_cluster() -> bool:
    if "distributed" not in sys.modules:  # which dask would import to look for a client
        return False
    scheduler = getattr(dask.base.get_scheduler(), "__self__", None)
    return type(scheduler).__module__.startswith("distributed")


class _Bar(Callback):
    """One bar for all passes over the blocks, each of which fills it anew."""

    def __enter__(self) -> None:
        self._passes = 0
        self._bar = tqdm(unit="task", leave=False)
        super().__enter__()

    def __exit__(self, *arguments: object) -> None:
        super().__exit__(*arguments)
        self._bar.close()

    def _start_state(self, graph: object, state: dict[str, Any]) -> None:
        self._passes += 1
        self._bar.set_description(f"Pass {self._passes} over the spectrum image", refresh=False)
        self._bar.reset(len(state["ready"]) + len(state["waiting"]))

    def _posttask(self, *arguments: object) -> None:
        self._bar.update()


class _Store:
    """An array in memory, or in a file of its own, which goes with it.

    The file is mapped anew every time, for what is mapped counts as memory until it is not.
    """

    ndim = 3

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], in_memory: bool) -> None:
        self.shape, self.dtype = shape, dtype
        self._array = np.empty(shape, dtype) if in_memory else None
        if not in_memory:
            folder = mkdtemp(prefix="hyperspy_cvae-")
            finalize(self, rmtree, folder, ignore_errors=True)
            self._path = f"{folder}/cube"
            self._mapped("w+")

    def __dask_tokenize__(self) -> str:
        return uuid4().hex  # else dask reads all of it to make a name

    def in_blocks(self, chunks: Any) -> da.Array:
        """Return it as a dask array of such blocks."""
        array = da.from_array(self, chunks, name=False)
        _stores[array.name] = self
        return array

    def _mapped(self, mode: Any) -> np.memmap[Any, Any]:
        return np.memmap(self._path, self.dtype, mode, shape=self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.array(self._mapped("r")[key]) if self._array is None else self._array[key]

    def __setitem__(self, key: Any, values: NDArray[Any]) -> None:
        array = self._mapped("r+") if self._array is None else self._array
        array[key] = values
