"""The scores to choose from: how normal every spectrum is beside what is expected."""

from typing import Literal, get_args

Score = Literal["pcc", "combined"]

QUANTITIES: dict[Score, str] = {"pcc": "PCC", "combined": "Combined score"}
"""What the map of each score is called."""

# Width of a Gaussian over energy in eV: noise is smoothed away, fine structure is not. It is for
# ranges of a core-loss edge; in narrower ones, as of vibrations, structure is finer.
_FINE_WIDTH = 1.5
_EDGE_RANGE = 37.5
_BIN = 1.0  # eV


def energy_width(dispersion: float, channels: int) -> float:
    """Return the standard deviation in channels of the Gaussian that spares fine structure."""
    return _FINE_WIDTH * min(1.0, dispersion * channels / _EDGE_RANGE) / dispersion


def energy_bin(dispersion: float, channels: int) -> int:
    """Return how many channels may be summed up in large scans: 1 eV, less in narrow ranges."""
    # Files hold dispersions in single precision, in which 0.1 eV is a little more.
    return max(1, int(energy_width(dispersion, channels) / _FINE_WIDTH * _BIN + 1e-3))


def check_score(score: str) -> None:
    """Raise a ValueError unless the score is one of those to choose from."""
    if score not in get_args(Score):
        raise ValueError(f"score is {score!r}: choose one of {', '.join(get_args(Score))}.")
