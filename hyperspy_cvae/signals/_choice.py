"""What reconstructs a spectrum image best: a network, or a few components."""

from typing import NamedTuple

import numpy as np

from hyperspy_cvae.blocks import spectra_at
from hyperspy_cvae.detection import ReconstructionQuality, energy_bin
from hyperspy_cvae.low_rank import low_rank_bulk
from hyperspy_cvae.sampling import some_of
from hyperspy_cvae.shards import binned
from hyperspy_cvae.signals._arrays import Recorded

FEWEST_PIXELS = 1024
"""From so many on a scan can teach a network."""

_ENOUGH_PIXELS = 4000  # to know how many components rise above the noise


class Choice(NamedTuple):
    """Whether a network is worth its training."""

    network: bool
    components: int
    """Components of the bulk that rise above the noise of the scan as it is."""
    why: str


def choose(recorded: Recorded) -> Choice:
    """Return whether to train a network on a spectrum image.

    It is where there are 1024 pixels and more, and more than one component rises above the noise.
    """
    cube, judged, channels = recorded.cube, recorded.judged, recorded.channels
    pixels = int(judged.sum())
    if pixels < FEWEST_PIXELS:
        why = f"{pixels} pixels are too few to train a network (at least {FEWEST_PIXELS})"
        return Choice(False, 0, why)
    spectra = np.maximum(spectra_at(cube, some_of(judged, _ENOUGH_PIXELS))[:, channels], 0)
    spectra = binned(spectra, energy_bin(recorded.axis.dispersion_ev, spectra.shape[1]))
    components = len(low_rank_bulk(spectra, np.ones(len(spectra), bool)).components)
    if components == 1:
        why = "one component explains the bulk within its noise: a network is not needed"
        return Choice(False, components, why)
    return Choice(True, components, f"{components} components vary: a network was trained")


def after_training(choice: Choice, quality: ReconstructionQuality) -> Choice:
    """Return the choice once it is known how well the network reconstructs held-out noise."""
    own, other = quality.misfit, float(quality.pca[choice.components - 1])
    beside = f"misfit {own:.3f}, low rank {other:.3f}"
    if own <= other:
        why = f"it reconstructs better than {choice.components} components ({beside})"
        return choice._replace(why=why)
    why = f"a network reconstructs worse than {choice.components} components ({beside})"
    return choice._replace(network=False, why=why)
