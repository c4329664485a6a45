"""The paper's figures 2, 3 and 5 of the phantom, drawn for ``paper_table.py``."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics.pairwise import cosine_similarity

from hyperspy_cvae.detection import anomalous, otsu_threshold
from hyperspy_cvae.plotting import plot_comparison
from hyperspy_cvae.reconstruction import CVAE


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


def similarity(model: CVAE, clean: np.ndarray, injected: np.ndarray) -> np.ndarray:
    """Return the cosine similarity of the latent vectors of clean and of injected shards.

    Parameters
    ----------
    model
        The network.
    clean, injected
        Counts ``(rows, columns, energy)`` without and with anomalies.

    Returns
    -------
    numpy.ndarray
        ``(clean shards, injected shards)``, row by row of shards.
    """
    return np.asarray(cosine_similarity(model.latent(clean), model.latent(injected)))


def latent_similarity(similarities: np.ndarray) -> Figure:
    """Draw figure 5, the cosine similarity of clean and injected shards."""
    drawn, axes = plt.subplots(figsize=(5.4, 4.4), layout="constrained")
    last = len(similarities) + 0.5
    picture = axes.imshow(similarities, cmap="cividis", vmax=1, extent=(0.5, last, last, 0.5))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    diagonal = similarities.diagonal()
    axes.set(
        xlabel="Shard with anomalies injected",
        ylabel="Clean shard",
        title=f"On the diagonal {diagonal.min():.3f} to {diagonal.max():.3f}",
    )
    drawn.colorbar(picture, label="Cosine similarity of the latent vectors", shrink=0.9)
    return drawn
