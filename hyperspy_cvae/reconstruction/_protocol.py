"""What a reconstructor is."""

from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Self = TypeVar("Self")


class Reconstructor(Protocol):
    """Learns the bulk of a spectrum image, and says what a spectrum would be if it were bulk.

    Cubes are counts ``(rows, columns, energy)``, float32 and finite, and are left as they are.
    """

    def fit(self: Self, cube: NDArray[np.float32], use: NDArray[np.bool_] | None = None) -> Self:
        """Learn from the spectra of ``cube`` where ``use`` ``(rows, columns)`` is True."""
        ...

    def reconstruct(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the counts of ``cube`` as the bulk would give them, in its shape."""
        ...
