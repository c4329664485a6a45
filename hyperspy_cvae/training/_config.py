"""How a network is trained."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of one training.

    Parameters
    ----------
    epochs
        Passes over the scan; a pass draws as many shards as would tile it, at least 32.
    batch_size
        Shards per step.
    learning_rate
        Peak (``"onecycle"``) or initial (``"plateau"``) learning rate.
    schedule
        ``"onecycle"``: AdamW, one cycle over all epochs. ``"plateau"``: Adam, halved after 10
        epochs without improvement on the held-out tiles, as published.
    beta
        Weight of the KL divergence.
    likelihood_weight
        Weight n of a spectrum's cross-entropy, about its number of electrons; ``"auto"`` takes the
        median sum of the intensities, kept within 1e4 and 1e6.
    warm_up
        Fraction of the epochs over which the KL term is faded in.
    held_out
        Fraction of the scan kept from training, in tiles of half a shard, to tell when to stop.
    patience
        Epochs without improvement on the held-out tiles before training stops.
    left_out
        Fraction of the spectra, those that fit worst after a quarter of the epochs, that is left
        out of the loss from then on, so that anomalies in the training data are not learnt.
    gradient_clip
        Largest norm of the gradient.
    """

    epochs: int = 60
    batch_size: int = 4
    learning_rate: float = 2e-3
    schedule: Literal["onecycle", "plateau"] = "onecycle"
    beta: float = 1.2
    likelihood_weight: float | Literal["auto"] = "auto"
    warm_up: float = 0.3
    held_out: float = 0.05
    patience: int = 20
    left_out: float = 0.05
    gradient_clip: float = 1.0


PAPER_TRAINING = TrainingConfig(
    epochs=300,
    batch_size=1,
    learning_rate=1e-4,
    schedule="plateau",
    warm_up=0.0,
    patience=40,
    left_out=0.0,
    gradient_clip=3.53,
)
