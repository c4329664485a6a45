"""Whatever reconstructs the bulk: all of it one protocol, so that a comparison is fair."""

from hyperspy_cvae.reconstruction._average import Mean, TileMedian
from hyperspy_cvae.reconstruction._config import PAPER_CVAE, CVAEConfig
from hyperspy_cvae.reconstruction._cvae import CVAE
from hyperspy_cvae.reconstruction._energy import EnergyAxis
from hyperspy_cvae.reconstruction._low_rank import LowRank
from hyperspy_cvae.reconstruction._pca import PCA
from hyperspy_cvae.reconstruction._protocol import Reconstructor

__all__ = [
    "CVAE",
    "PAPER_CVAE",
    "PCA",
    "CVAEConfig",
    "EnergyAxis",
    "LowRank",
    "Mean",
    "Reconstructor",
    "TileMedian",
]
