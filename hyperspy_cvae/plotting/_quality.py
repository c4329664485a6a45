"""The figure of how well spectra are reconstructed, beside PCA."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hyperspy_cvae.detection import ReconstructionQuality
from hyperspy_cvae.plotting._drawing import ANOMALOUS, BULK, shortened

_SHOWN = 30  # components, as in HyperSpy's scree plot
_LOGARITHMIC = 10.0  # times the lowest


def plot_reconstruction_quality(
    quality: ReconstructionQuality, *, title: str = "", signal_range_label: str = ""
) -> Figure:
    """Draw the scree plot of a PCA, and beside it what PCA and the 3D-CVAE miss.

    Parameters
    ----------
    quality
        What was found.
    title
        Title of the figure.
    signal_range_label
        The energy range of the misfit, such as ``"690-730 eV"``.

    Returns
    -------
    matplotlib.figure.Figure
        Made with pyplot, so that it appears where figures appear.

    Examples
    --------
    >>> quality = ReconstructionQuality(np.array([0.9, 0.08, 0.02]), np.array([2, 1.1]), 1.05)
    >>> figure = plot_reconstruction_quality(quality, title="Oxide")
    >>> figure.get_suptitle()
    'Oxide: the 3D-CVAE is better than PCA with any number of components up to 2'
    >>> plt.close(figure)
    """
    figure, (scree, misfit) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    ratio = quality.explained_variance_ratio[:_SHOWN]
    ratio = ratio[ratio > 0]
    scree.semilogy(np.arange(1, len(ratio) + 1), ratio, "o", color=BULK, ms=4)
    scree.set_ylabel("Proportion of variance")
    scree.set_xlabel("Principal component")
    scree.set_title("Scree plot", fontsize="medium")
    numbers = np.arange(1, quality.pca.size + 1)
    misfit.plot(numbers, quality.pca, "o-", color=BULK, ms=4, lw=1, label="PCA")
    misfit.axhline(quality.misfit, color=ANOMALOUS, label="3D-CVAE")
    style = {"color": "black", "lw": 1.1, "ls": (0, (4, 3))}
    misfit.axhline(1, label="noise alone, known to some per cent", **style)
    levels = [*quality.pca, quality.misfit, 1.0]
    if max(levels) > _LOGARITHMIC * min(levels):
        misfit.set_yscale("log")
    misfit.set_ylabel("Mean square misfit / variance of the noise")
    misfit.set_xlabel("Components of the PCA")
    where = f", {signal_range_label}" if signal_range_label else ""
    misfit.set_title(f"Misfit to a second recording{where}", fontsize="medium")
    misfit.legend(fontsize="small")
    for axes in (scree, misfit):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    verdict = f"the 3D-CVAE is {quality.verdict}"
    figure.suptitle(f"{shortened(title, 40)}: {verdict}" if title else verdict, parse_math=False)
    return figure
