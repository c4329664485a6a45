"""How far long work is: a bar for those who watch, and lines in the log for all others."""

import logging
import time
from types import TracebackType

from tqdm.auto import tqdm

_EVERY = 10.0  # seconds between lines in the log

logger = logging.getLogger("hyperspy_cvae")


class Progress:
    """A bar, and a line in the log every ten seconds, with the time that is left.

    Parameters
    ----------
    total
        How much there is to do.
    description
        What is done.
    unit
        Of the total.
    shown
        Whether to show a bar.

    Examples
    --------
    >>> with Progress(3, "Counting", "number", shown=False) as progress:
    ...     for number in range(3):
    ...         progress.update(1, f"last {number}")
    """

    def __init__(self, total: float, description: str, unit: str, shown: bool) -> None:
        self.total, self._done = total, 0.0
        self._description, self._unit = description, unit
        self._begun = self._logged = time.monotonic()
        self._bar = tqdm(total=total, desc=description, unit=unit, disable=not shown)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def update(self, number: float = 1, text: str = "") -> None:
        """Say that so much more is done, and what there is to say of it."""
        self._done += number
        self._bar.set_postfix_str(text, refresh=False)  # shown with what it is of
        self._bar.update(number)
        now = time.monotonic()
        if now - self._logged >= _EVERY:
            self._logged = now
            left = (now - self._begun) * (self.total / self._done - 1) if self._done else 0.0
            logger.info(
                "%s: %.0f of %.0f %s, %.0f s left%s",
                self._description,
                self._done,
                self.total,
                self._unit,
                left,
                f" ({text})" if text else "",
            )

    def stop(self) -> None:
        """Say that what is done is all: else the bar of a notebook says that it failed."""
        self.total = self._bar.total = self._done

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
