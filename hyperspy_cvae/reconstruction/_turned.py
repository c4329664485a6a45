"""The reconstruction of a scan that lies the other way round."""

from collections.abc import Callable

import numpy as np

from hyperspy_cvae.blocks import Cube


def reconstructed_turned(reconstruct: Callable[[Cube], Cube], cube: Cube) -> Cube:
    """Return the reconstruction of a scan turned by half a turn, turned back.

    It is the same, but for rounding, where every pixel is treated by itself. A network that sees
    neighbours makes another one, the more so the less it knows what it is shown.

    Parameters
    ----------
    reconstruct
        Makes a reconstruction of a cube, of the same shape.
    cube
        Counts ``(rows, columns, energy)``; left as they are.

    Examples
    --------
    >>> cube = np.arange(12.0, dtype=np.float32).reshape(2, 3, 2)
    >>> bool((reconstructed_turned(lambda scan: scan, cube) == cube).all())
    True
    """
    turned = cube[::-1, ::-1]
    if isinstance(turned, np.ndarray):
        turned = np.ascontiguousarray(turned)  # torch knows no strides backwards
    return reconstruct(turned)[::-1, ::-1]
