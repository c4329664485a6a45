"""Training: the loss, the settings and the loop."""

from hyperspy_cvae.training._config import PAPER_TRAINING, TrainingConfig
from hyperspy_cvae.training._loop import History, TrainingError, train
from hyperspy_cvae.training._loss import cross_entropy, cvae_loss, entropy, kl_divergence
from hyperspy_cvae.training._tiles import held_out_tiles

__all__ = [
    "PAPER_TRAINING",
    "History",
    "TrainingConfig",
    "TrainingError",
    "cross_entropy",
    "cvae_loss",
    "entropy",
    "held_out_tiles",
    "kl_divergence",
    "train",
]
