"""The figure of how alike shards are to the network."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from hyperspy_cvae.plotting._drawing import MAP, FloatArray, draw_outline, map_extent, shortened

_ROUNDING = 1e-6
_TICKS = 8
_OUTLINED = 100  # shards: of more, the outline of the diagonal would hide it


def plot_latent_similarity(similarity: FloatArray, title: str = "") -> Figure:
    """Draw how similar the latent vectors of shards are in pairs, the diagonal outlined.

    Parameters
    ----------
    similarity
        Cosine similarities ``(shards, shards)`` of the shards of one spectrum image, along the
        rows, and of another of the same place, along the columns.
    title
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Made with pyplot, so that it appears where figures appear.

    Raises
    ------
    ValueError
        If the similarities are not as many for both.

    Examples
    --------
    >>> figure = plot_latent_similarity(np.array([[0.9, 0.1], [0.2, 0.8]]))
    >>> print(figure.axes[0].get_title())
    On the diagonal, each shard and its counterpart: 0.800 to 0.900
    The counterpart is the most similar of all for 2 of 2 shards
    >>> plt.close(figure)
    """
    count = len(similarity)
    if similarity.shape != (count, count) or not count:
        raise ValueError(
            f"similarity has the shape {similarity.shape}, but as many shards of both are needed."
        )
    figure, axes = plt.subplots(figsize=(6.0, 5.2), layout="constrained")
    lowest = float(min(similarity.min(), 0.99))
    picture = axes.imshow(
        similarity,
        cmap=MAP,
        vmin=lowest,
        vmax=1,
        extent=map_extent(similarity.shape, (1, 1)),
        interpolation="nearest",
    )
    if count <= _OUTLINED:
        draw_outline(axes, np.eye(count, dtype=bool), (1, 1))
    numbers = np.arange(0, count, -(-count // _TICKS))
    axes.set_xticks(numbers + 0.5, numbers.astype(str))
    axes.set_yticks(numbers + 0.5, numbers.astype(str))
    axes.set_xlabel("Shard of the other spectrum image")
    axes.set_ylabel("Shard, row by row of the scan")
    own = similarity.diagonal()
    nearest = int(np.count_nonzero(own >= similarity.max(1) - _ROUNDING))
    axes.set_title(
        f"On the diagonal, each shard and its counterpart: {own.min():.3f} to {own.max():.3f}\n"
        f"The counterpart is the most similar of all for {nearest} of {count} shards",
        fontsize="medium",
    )
    figure.colorbar(picture, label="Cosine similarity of the latent vectors", shrink=0.9)
    if title:
        figure.suptitle(shortened(title, 60), fontsize="large", parse_math=False)
    return figure
