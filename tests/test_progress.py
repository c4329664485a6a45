"""Long work says how far it is, also where nobody sees a bar."""

import logging

import pytest

from hyperspy_cvae import progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_every_ten_seconds_with_the_time_left(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "hyperspy_cvae"):
        with progress.Progress(10, "Training", "epochs", shown=False) as bar:
            for epoch in range(10):
                clock[0] += 4
                bar.update(1, f"loss {epoch}")
    assert [record.getMessage() for record in caplog.records] == [
        "Training: 3 of 10 epochs, 28 s left (loss 2)",
        "Training: 6 of 10 epochs, 16 s left (loss 5)",
        "Training: 9 of 10 epochs, 4 s left (loss 8)",
    ]


def test_a_bar_only_if_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for shown in (False, True):
        with progress.Progress(2, "Counting", "numbers", shown) as bar:
            bar.update()
            bar.stop()
        assert ("Counting: 100%" in capsys.readouterr().err) == shown
