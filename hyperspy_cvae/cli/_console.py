"""What the commands write to the terminal, and what they keep from it."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What is wrong with a file, an argument or a machine, in sentences made for the user.
_EXPECTED = (OSError, ValueError, RuntimeError, MemoryError, ImportError)


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def complain(problem: str | Exception, about: str = "") -> None:
    """Print to stderr what went wrong and, if that is known, with which file."""
    text = problem if isinstance(problem, str) else sentence(problem)
    print(f"hyperspy-cvae: {about + ': ' if about else ''}{text}", file=sys.stderr, flush=True)


def sentence(error: Exception) -> str:
    """Return an error as one line."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.strerror}: {str(error.filename)!r}"
    if isinstance(error, _EXPECTED) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def show_progress() -> bool:
    """Return whether there is somebody to see a progress bar."""
    return sys.stderr.isatty()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep from the terminal what is of no use there.

    Warnings become one line each. HyperSpy and the readers of files log what concerns those who
    write code with them; errors they also raise. Figures open no windows.
    """
    loggers = [logging.getLogger(name) for name in ("hyperspy", "exspy", "rsciio")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for category in (
            DeprecationWarning,
            PendingDeprecationWarning,
            FutureWarning,
            ResourceWarning,
        ):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", "Importing .Lazy")
        # The commands stop altogether, see trained().
        warnings.filterwarnings("ignore", "Training was interrupted")
        warnings.showwarning = _show_warning
        try:
            # Importing HyperSpy sets the level of its logger.
            import hyperspy.api

            hyperspy.api.set_log_level("CRITICAL")
            for logger in loggers:
                logger.setLevel(logging.CRITICAL)
            import matplotlib

            matplotlib.use("Agg")
            with _log_lines():
                yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _log_lines() -> Iterator[None]:
    """Where nobody sees a bar, write a line now and then how far long work is."""
    from hyperspy_cvae.progress import logger

    handler, level = logging.StreamHandler(sys.stderr), logger.level
    handler.setFormatter(logging.Formatter("%(message)s"))
    if not show_progress():
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"Note: {' '.join(str(message).split())}", file=sys.stderr, flush=True)
