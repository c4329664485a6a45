"""How many threads torch computes with."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch
from dask.system import CPU_COUNT

_MOST = 8  # threads: what they hold is in memory

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread, and afterwards with as many as before.

    The operations of a small network are so short that threads spend their time waiting for each
    other: two take hardly less than one, and several times as long where other processes run. Sums
    are taken in the same order then, whatever the number of cores.

    Examples
    --------
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_order(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield what a function makes of items, by threads that each compute alone, in their order.

    Torch computes with one thread in each of them; no more results wait than there are threads.

    Examples
    --------
    >>> list(in_order(torch.square, torch.arange(4)))
    [tensor(0), tensor(1), tensor(4), tensor(9)]
    """
    waiting: deque[Future[R]] = deque()
    with one_thread(), ThreadPoolExecutor(min(CPU_COUNT, _MOST)) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > min(CPU_COUNT, _MOST):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
