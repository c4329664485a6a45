"""How a network is trained."""

import math
from dataclasses import dataclass
from typing import Literal

_PIXELS_PER_STEP, _FEWEST_STEPS, _MOST_STEPS = 450, 4, 40  # of an epoch, by default


class TrainingError(RuntimeError):
    """Training cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of one training.

    Parameters
    ----------
    epochs
        Each shows ``steps_per_epoch`` batches of shards from anywhere in the scan.
    summed
        Fraction of the epochs, the first ones of one cycle, in which the compact network is shown
        channels summed up to half the width of fine structure: of many channels that is quicker,
        and the last epochs make up for it.
    steps_per_epoch
        None takes one for each 450 pixels to train on, at least 4 and at most 40. A network that
        is shown a small scan more often learns its anomalies; with more steps on a large one it
        gains little.
    batch_size
        Shards per step.
    learning_rate
        Peak (``"onecycle"``) or initial (``"plateau"``) learning rate.
    hidden_learning_rate
        Peak learning rate of Muon, for the hidden weights of a network that names them.
    schedule
        ``"onecycle"``: AdamW, and Muon for hidden weights, one cycle over all epochs.
        ``"plateau"``: Adam, halved after 10 epochs without improvement on the held-out tiles, of
        whose epochs the best one is kept, as published.
    beta
        Weight of the KL divergence.
    likelihood_weight
        Weight n of a spectrum's cross-entropy, about its number of electrons; ``"auto"`` takes the
        median sum of the intensities, kept within 1e4 and 1e6.
    warm_up
        Fraction of the epochs over which the KL term is faded in.
    held_out
        Fraction of the scan kept from training, in tiles of half a shard, to tell when to stop a
        training of the schedule ``"plateau"``.
    patience
        Epochs without improvement on the held-out tiles before such a training stops.
    left_out
        Largest fraction of the spectra that is left out of the loss, so that anomalies in the
        training data are not learnt, except for pieces larger than a shard: those that the rest of
        their spectrum predicts least, and from three eighths of the training on those that the
        network does not reconstruct either; in small scans, those that are isolated. See
        :class:`Outliers`.
    revisited
        Largest fraction of the shards that is drawn around rare bulk, which the network
        reconstructs badly but the rest of the spectrum predicts: ten times as many as it is of the
        scan.
    corruption
        Fraction of the shards that are shown to the network with corrupted discs and are to be
        returned without, so that anomalies are not copied.
    recorruption
        Strength of the noise that is added to what the network is shown and taken from what it is
        to return, so that noise is not copied (see :class:`Recorruption`); 0 for none.
    gradient_clip
        Largest norm of the gradient.
    """

    epochs: int = 48
    summed: float = 0.75
    steps_per_epoch: int | None = None
    batch_size: int = 1
    learning_rate: float = 2e-3
    hidden_learning_rate: float = 6e-3
    schedule: Literal["onecycle", "plateau"] = "onecycle"
    beta: float = 1.2
    likelihood_weight: float | Literal["auto"] = "auto"
    warm_up: float = 0.3
    held_out: float = 0.02
    patience: int = 40
    left_out: float = 0.08
    revisited: float = 0.3
    corruption: float = 1.0
    recorruption: float = 0.7
    gradient_clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epochs", "steps_per_epoch", "batch_size", "patience"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ValueError(f"{name} is {number}, but at least 1 is needed.")
        for name in ("learning_rate", "hidden_learning_rate", "recorruption", "gradient_clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} is {getattr(self, name)}, but a finite number from 0 on is needed."
                )
        for name in ("held_out", "left_out"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} is {getattr(self, name)}, but a fraction from 0 to below 1 is needed."
                )
        for name in ("summed", "warm_up", "revisited", "corruption"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name} is {getattr(self, name)}, but a fraction from 0 to 1 is needed."
                )
        if self.schedule not in ("onecycle", "plateau"):
            raise ValueError(
                f"schedule {self.schedule!r} is unknown; choose 'onecycle' or 'plateau'."
            )

    def steps(self, pixels: int) -> int:
        """Return the steps of an epoch on so many pixels.

        Examples
        --------
        >>> [TrainingConfig().steps(side**2) for side in (10, 64, 192)]
        [4, 10, 40]
        """
        if self.steps_per_epoch is not None:
            return self.steps_per_epoch
        steps = math.ceil(pixels / _PIXELS_PER_STEP)
        return min(max(steps, _FEWEST_STEPS), _MOST_STEPS)


PAPER_TRAINING = TrainingConfig(
    epochs=300,
    steps_per_epoch=64,
    batch_size=1,
    learning_rate=1e-4,
    schedule="plateau",
    warm_up=0.0,
    patience=40,
    left_out=0.0,
    revisited=0.0,
    corruption=0.0,
    recorruption=0.0,
    gradient_clip=3.53,
)
