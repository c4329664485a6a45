"""How much each spectrum counts in a training."""

import numpy as np

from hyperspy_cvae.blocks import Cube, to_map
from hyperspy_cvae.training._config import TrainingError


def spectrum_weights(cube: Cube, use: np.ndarray) -> tuple[np.ndarray, float]:
    """Weight of each spectrum in the loss, and the median sum of intensities.

    The weight is the spectrum's sum over the median, at most 1: the noise of a spectrum almost
    without counts, normalised to a sum of one, would otherwise outweigh all others.

    Parameters
    ----------
    cube
        Intensities ``(rows, columns, energy)``.
    use
        Spectra to train on, boolean ``(rows, columns)``.
    """
    total = to_map(lambda block: block.sum(-1, dtype=np.float64), cube)
    median = float(np.median(total[use & (total > 0)])) if np.any(use & (total > 0)) else 0.0
    if median <= 0:
        raise TrainingError(
            "no spectrum to train on has a positive sum of counts; check navigation_mask, "
            "signal_mask and signal_range."
        )
    return (np.clip(total / median, 0, 1) * use).astype(np.float32), median
