"""The paper's figures 2 and 3 of the phantom, drawn for ``paper_table.py``."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from hyperspy_cvae.detection import anomalous, otsu_threshold
from hyperspy_cvae.plotting import plot_comparison


def sums_and_reconstructions(measured: np.ndarray, cvae: np.ndarray, pca: np.ndarray) -> Figure:
    """Draw figure 2, a and b: counts summed over energy, and those of both reconstructions.

    Parameters
    ----------
    measured, cvae, pca
        Counts summed over energy, ``(rows, columns)``, as measured and as reconstructed.
    """
    half = measured.shape[1] // 2
    split = np.concatenate([cvae[:, :half], pca[:, half:]], 1)
    low, high = np.percentile(measured, (0.5, 99.5))
    drawn, axes = plt.subplots(1, 2, figsize=(8.4, 4.2), layout="constrained")
    for one, image, title in (
        (axes[0], measured, "a) Measured"),
        (axes[1], split, "b) 3D-CVAE | PCA, 4 components"),
    ):
        picture = one.imshow(image, cmap="cividis", vmin=low, vmax=high)
        one.set(title=title, xticks=[], yticks=[])
    axes[1].axvline(half - 0.5, color="white", lw=1)
    drawn.colorbar(picture, ax=axes, label="Counts, sum over energy", shrink=0.85)
    return drawn


def scores_and_histograms(
    cvae: np.ndarray, pca: np.ndarray, truth: np.ndarray, scale: tuple[float, float], units: str
) -> Figure:
    """Draw figure 2, c and d, and figure 3: PCC of both methods, and its histograms.

    Parameters
    ----------
    cvae, pca
        Maps of the PCC, ``(rows, columns)``.
    truth
        True where the phantom is anomalous, ``(rows, columns)``.
    scale, units
        Distance between rows and between columns.
    """
    panels = []
    for name, scores in (("3D-CVAE", cvae), ("PCA, 4 components", pca)):
        threshold = otsu_threshold(scores)
        panels.append((name, scores, anomalous(scores, threshold), threshold))
    return plot_comparison(panels, truth, scale=scale, units=units)
