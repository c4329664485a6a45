"""What decides what a 3D-CVAE becomes."""

from dataclasses import dataclass, field

from hyperspy_cvae.networks import CompactConfig, NetworkConfig, PaperConfig
from hyperspy_cvae.preprocessing import PAPER_PREPROCESSING, Preprocessing
from hyperspy_cvae.training import PAPER_TRAINING, TrainingConfig


@dataclass(frozen=True)
class CVAEConfig:
    """Everything that decides what a :class:`~hyperspy_cvae.CVAE` becomes, beside its data.

    Parameters
    ----------
    network
        Which network, and its sizes.
    training
        How it is trained.
    preprocessing
        What happens to counts before the network sees them.
    shard_size
        Largest extent of a shard in pixels; small scans get smaller ones.
    overlap
        Fraction of a shard that neighbouring shards share in a reconstruction, 0 to below 1.
    margin
        Fraction of a shard that it may hold beyond the scan, which is reflected at its borders, 0
        to 0.5: at its own border a shard fits less well.
    second_look
        Whether a reconstruction is mended where it does not fit within the noise.
    correction
        Whether what a reconstruction misses systematically is added to it.
    seed
        Seed of everything that is random.
    """

    network: NetworkConfig = field(default_factory=CompactConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    shard_size: int = 24
    overlap: float = 0.5
    margin: float = 0.25
    second_look: bool = True
    correction: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.shard_size < 1:
            raise ValueError(f"shard_size is {self.shard_size}, but at least 1 is needed: use 24.")
        if not 0 <= self.overlap < 1:
            raise ValueError(
                f"overlap is {self.overlap}, but a fraction from 0 to below 1 is needed: use 0.5."
            )
        if not 0 <= self.margin <= 0.5:
            raise ValueError(
                f"margin is {self.margin}, but a fraction from 0 to 0.5 is needed: use 0.25."
            )


PAPER_CVAE = CVAEConfig(
    network=PaperConfig(),
    training=PAPER_TRAINING,
    preprocessing=PAPER_PREPROCESSING,
    margin=0.0,
    second_look=False,
    correction=False,
)
"""As published by Sultanov et al., Small 2025."""
