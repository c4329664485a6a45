"""How many threads torch computes with."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

import torch

_MOST = 8  # threads: what they hold is in memory

T = TypeVar("T")
R = TypeVar("R")


class _Asked:
    """How many ask for one thread at present, and how many threads there were before."""

    lock = Lock()
    number = 0
    before = 1


@contextmanager
def one_thread() -> Iterator[int]:
    """Let torch compute with one thread, and afterwards with as many as before.

    The operations of a small network are so short that threads spend their time waiting for each
    other: two take hardly less than one, and several times as long where other processes run. Sums
    are taken in the same order then, whatever the number of threads.

    Where several threads ask for it at a time, the last to leave restores the number.

    Yields
    ------
    int
        How many threads torch computed with before, for :func:`in_order`.

    Examples
    --------
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    with _Asked.lock:
        if not _Asked.number:
            _Asked.before = torch.get_num_threads()
        _Asked.number += 1
        torch.set_num_threads(1)
    try:
        yield _Asked.before
    finally:
        with _Asked.lock:
            _Asked.number -= 1
            if not _Asked.number:
                torch.set_num_threads(_Asked.before)


def in_order(
    function: Callable[[T], R], items: Iterable[T], threads: int
) -> Generator[R, None, None]:
    """Yield what a function makes of items in their order, by some threads, eight at most.

    No more results wait than there are threads.

    Examples
    --------
    >>> list(in_order(abs, [-1, -2, -3], threads=2))
    [1, 2, 3]
    """
    threads = min(threads, _MOST)
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
