"""What a training reports."""

from dataclasses import dataclass, field


@dataclass
class History:
    """What happened during a training, epoch by epoch.

    Cross-entropies are in nats per spectrum, above the entropy of the data; noise is part of them,
    and they rise when channels are no longer summed up, as in the first ``summed_epochs``. The
    divergence is in nats per shard. Held-out tiles there are only in a training that they tell when
    to stop.
    """

    cross_entropy: list[float] = field(default_factory=list)
    divergence: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""
    summed_epochs: int = 0
