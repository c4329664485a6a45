"""The resolutions at which a scan is looked at: a single pixel to some three."""

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.smoothing import convolved

_GAUSSIANS = 1.5, 3.0  # pixels
_WIDE_SCAN = 40  # pixels: the widest Gaussian is for scans with no shorter side
_LEAST_WEIGHT = 0.3  # of the median pixel's


def resolutions(shape: tuple[int, int]) -> list[NDArray[np.float64]]:
    """Return the weights over rows and columns at which a scan is looked at."""
    found = [np.ones(1), np.ones(3), _gaussian(_GAUSSIANS[0])]
    if min(shape) >= _WIDE_SCAN:
        found.append(_gaussian(_GAUSSIANS[1]))
    return found


def _gaussian(sigma: float) -> NDArray[np.float64]:
    far = int(3 * sigma)
    weights: NDArray[np.float64] = np.exp(-0.5 * (np.arange(-far, far + 1) / sigma) ** 2)
    return weights


class Smoothing:
    """Weighted sums over pixels that are left, scaled so that the noise of counts is theirs."""

    def __init__(self, weights: NDArray[np.float64], left: NDArray[np.bool_]) -> None:
        self.weights, self.left = weights, left
        kept = left[..., np.newaxis].astype(np.float32)
        total, squares = (convolved(kept, each)[..., 0] for each in (weights, weights**2))
        self.enough: NDArray[np.bool_] = left & (total > _LEAST_WEIGHT * np.median(total[left]))
        scale = total / np.maximum(squares, np.finfo(np.float32).tiny)
        self._scale = np.where(total > 0, scale, 0)[..., np.newaxis].astype(np.float32)

    def __call__(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return spectra ``(pixels, energy)``."""
        channels = cube.shape[2]
        if len(self.weights) == 1:
            return cube.reshape(-1, channels)
        if not self.left.all():
            cube = cube * self.left[..., np.newaxis]
        smooth = convolved(cube, self.weights)
        smooth *= self._scale
        return smooth.reshape(-1, channels)
