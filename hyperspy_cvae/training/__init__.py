"""Training: the loss, the settings and the loop."""

from hyperspy_cvae.training._config import PAPER_TRAINING, TrainingConfig, TrainingError
from hyperspy_cvae.training._corruption import corrupt
from hyperspy_cvae.training._cost import check_cost, choose_device, estimate_cost
from hyperspy_cvae.training._history import History
from hyperspy_cvae.training._loop import train
from hyperspy_cvae.training._loss import cross_entropy, cvae_loss, entropy, kl_divergence
from hyperspy_cvae.training._outliers import Outliers
from hyperspy_cvae.training._recorruption import Recorruption, noise_of_spectra
from hyperspy_cvae.training._tiles import held_out_tiles

__all__ = [
    "PAPER_TRAINING",
    "History",
    "Outliers",
    "Recorruption",
    "TrainingConfig",
    "TrainingError",
    "check_cost",
    "choose_device",
    "corrupt",
    "cross_entropy",
    "cvae_loss",
    "entropy",
    "estimate_cost",
    "held_out_tiles",
    "kl_divergence",
    "noise_of_spectra",
    "train",
]
