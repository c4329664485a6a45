"""The figure of a training."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hyperspy_cvae.plotting._drawing import ANOMALOUS, BULK
from hyperspy_cvae.training import History

_LOGARITHMIC = 10.0  # times the lowest


def plot_history(history: History) -> Figure:
    """Draw how a training went: its loss above, the divergence below.

    Where channels are no longer summed up, which raises the loss, the lines are broken.

    Parameters
    ----------
    history
        What happened, epoch by epoch.

    Returns
    -------
    matplotlib.figure.Figure
        Made with pyplot, so that it appears where figures appear.

    Examples
    --------
    >>> history = History([0.03, 0.02, 0.04], [2.0, 20.0, 25.0], best_epoch=3, summed_epochs=2)
    >>> figure = plot_history(history)
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['CE - H (nats per spectrum)', 'KL (nats per shard)']
    >>> plt.close(figure)
    """
    figure, (loss, divergence) = plt.subplots(
        2, 1, figsize=(7.4, 5.2), height_ratios=(1.6, 1), sharex=True, layout="constrained"
    )
    curves = [
        (loss, history.cross_entropy, BULK, "shards of the training"),
        (loss, history.held_out, ANOMALOUS, "held-out tiles"),
        (divergence, history.divergence, BULK, ""),
    ]
    for axes, values, colour, label in curves:
        if values:
            epochs = np.arange(1, len(values) + 1)
            for part in (epochs <= history.summed_epochs, epochs > history.summed_epochs):
                style = {"color": colour, "lw": 1.2, "marker": ".", "ms": 5}
                axes.plot(epochs[part], np.array(values)[part], label=label, **style)
                label = ""
    count, best = len(history.cross_entropy), history.best_epoch
    for axes in (loss, divergence):
        kept = f"epoch {best}, whose weights are kept"
        axes.axvline(best, color="black", lw=1, zorder=0, label=kept)
        if 0 < history.summed_epochs < count:
            style = {"color": "black", "lw": 1, "ls": (0, (4, 3)), "zorder": 0}
            label = "from here on channels are not summed up"
            axes.axvline(history.summed_epochs + 0.5, label=label, **style)
    excess = history.cross_entropy + history.held_out
    if 0 < min(excess) < max(excess) / _LOGARITHMIC:
        loss.set_yscale("log")
    loss.set_ylabel("CE - H (nats per spectrum)")
    loss.set_title("Cross-entropy above the entropy of the data", fontsize="medium")
    loss.legend(fontsize="small")
    left = history.divergence[best - 1]
    divergence.set_ylabel("KL (nats per shard)")
    divergence.set_title(f"Divergence, {left:.3g} nats in epoch {best}", fontsize="medium")
    divergence.set_ylim(0, 1.1 * max(history.divergence) or 1)
    divergence.set_xlabel("Epoch")
    divergence.set_xlim(0.5, count + 0.5)
    divergence.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    epochs_done = f"{count} epoch{'s' if count > 1 else ''}"
    figure.suptitle(f"Training of {epochs_done}: {history.stopped}")
    return figure
