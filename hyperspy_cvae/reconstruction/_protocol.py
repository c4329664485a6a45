"""What a reconstructor is."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube

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


def turned(reconstruct: Callable[[Cube], Cube], cube: Cube) -> Cube:
    """Return the reconstruction of a scan turned by half a turn, turned back.

    Parameters
    ----------
    reconstruct
        Makes a reconstruction of a cube, of the same shape.
    cube
        Counts ``(rows, columns, energy)``.

    Examples
    --------
    >>> cube = np.arange(12.0, dtype=np.float32).reshape(2, 3, 2)
    >>> bool((turned(lambda each: each, cube) == cube).all())
    True
    """
    other = cube[::-1, ::-1]
    if isinstance(other, np.ndarray):
        other = np.ascontiguousarray(other)  # torch knows no strides backwards
    return reconstruct(other)[::-1, ::-1]
