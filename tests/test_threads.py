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


def test_the_last_of_several_to_leave_restores_the_number() -> None:
    """Else two trainings at a time would leave every later thread with one."""
    entered, leave = threading.Event(), threading.Event()

    def longer() -> None:
        with one_thread():
            entered.set()
            leave.wait(10)

    other = threading.Thread(target=longer)
    with one_thread():
        other.start()
        entered.wait(10)
    assert torch.get_num_threads() == 1
    leave.set()
    other.join()
    found: list[int] = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [2]


def test_results_come_in_order_by_threads_that_compute_alone() -> None:
    def made(number: int) -> tuple[int, int, str]:
        time.sleep(0.02 if number % 2 else 0)
        return number, torch.get_num_threads(), threading.current_thread().name

    with one_thread() as threads:
        assert threads == 2
        found = list(in_order(made, range(20), threads))
    assert [number for number, _, _ in found] == list(range(20))
    assert {threads for _, threads, _ in found} == {1}
    assert threading.current_thread().name not in {name for _, _, name in found}


def test_few_results_wait_and_those_not_asked_for_are_not_begun() -> None:
    begun: list[int] = []

    def made(number: int) -> int:
        begun.append(number)
        return number

    results = in_order(made, range(100), 3)
    for number in results:
        assert len(begun) - number <= 2 * 3 + 2
        if number == 50:
            break
    results.close()
    assert len(begun) < 60


def test_an_error_is_passed_on() -> None:
    def failing(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    with pytest.raises(ValueError, match="three"):
        list(in_order(failing, range(10), 2))
