"""Torch computes with one thread where that is asked for, and as before afterwards."""

import threading
import time

import pytest
import torch

from hyperspy_cvae.threads import in_order, one_thread


@pytest.fixture(autouse=True)
def _two_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_as_many_as_before_also_after_an_error() -> None:
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert torch.get_num_threads() == 2


def test_results_come_in_order_by_threads_that_compute_alone() -> None:
    def made(number: int) -> tuple[int, int, str]:
        time.sleep(0.02 if number % 2 else 0)
        return number, torch.get_num_threads(), threading.current_thread().name

    found = list(in_order(made, range(20)))
    assert [number for number, _, _ in found] == list(range(20))
    assert {threads for _, threads, _ in found} == {1}
    assert threading.current_thread().name not in {name for _, _, name in found}
    assert torch.get_num_threads() == 2


def test_few_results_wait() -> None:
    begun = []
    for number in in_order(lambda number: begun.append(number) or number, range(100)):
        assert len(begun) - number <= 2 * 8 + 2


def test_an_error_is_passed_on() -> None:
    def failing(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    with pytest.raises(ValueError, match="three"):
        list(in_order(failing, range(10)))
    assert torch.get_num_threads() == 2
