"""The latent vectors of shards, as a signal on the axes of the scan."""

from typing import Any

import numpy as np
from hyperspy.signals import BaseSignal, Signal1D
from numpy.typing import NDArray
from sklearn.metrics.pairwise import cosine_similarity

from hyperspy_cvae.reconstruction import CVAE
from hyperspy_cvae.sampling import some
from hyperspy_cvae.signals._arrays import counts, energy_axis, scan

_MOST_SHARDS = 1000  # of which all pairs fit into a picture


def latent_signal(signal: BaseSignal, model: CVAE) -> Signal1D:
    """Return the latent vectors of shards that tile the scan, each where its shard has its centre.

    Shards are evenly spread, to a pixel, so that the axes are uniform if those of the scan are.
    """
    vectors = model.latent(counts(signal).cube, energy_axis(signal))
    corners = model.tiling(scan(signal))
    assert model.shape is not None
    axes: list[dict[str, Any]] = []
    dimension = signal.axes_manager.navigation_dimension
    navigation = signal.axes_manager.navigation_axes[::-1]  # rows first, as in arrays
    for axis, first, size in zip(
        navigation, corners[-dimension:], model.shape[-dimension:], strict=True
    ):
        centres = np.interp(first + (size - 1) / 2, np.arange(axis.size), axis.axis)
        named = {"name": axis.name, "units": axis.units, "navigate": True}
        if axis.is_uniform:
            apart = len(centres) - 1
            scale = (centres[-1] - centres[0]) / apart if apart else size * axis.scale
            axes.append({**named, "offset": centres[0], "scale": scale, "size": len(centres)})
        else:
            axes.append({**named, "axis": centres})
    axes.append({"name": "Latent", "size": vectors.shape[-1]})
    made = Signal1D(vectors.reshape(vectors.shape[2 - dimension :]), axes=axes)
    title = signal.metadata.get_item("General.title", "")
    made.metadata.General.title = " of ".join(part for part in ("Latent vectors", title) if part)
    made.metadata.Signal.quantity = "Latent vector"
    return made


def latent_similarity(signal: BaseSignal, other: BaseSignal, model: CVAE) -> NDArray[np.floating]:
    """Return the cosine similarity of latent vectors, ``(shards of signal, shards of other)``.

    Of more than 1000 shards, as many are taken at random, the same of both.

    Raises
    ------
    ValueError
        If the scans differ in shape.
    """
    shapes = [each.axes_manager.navigation_shape for each in (signal, other)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"other has a scan of {shapes[1]} pixels, but this signal one of {shapes[0]}: give a "
            "spectrum image of the same place, such as this one with anomalies injected."
        )
    vectors = [latent_signal(each, model).data for each in (signal, other)]
    one, another = (each.reshape(-1, each.shape[-1]) for each in vectors)
    chosen = np.sort(some(len(one), _MOST_SHARDS))
    return np.asarray(cosine_similarity(one[chosen], another[chosen]))
