"""Artefacts of camera and scan, found in the counts alone."""

from hyperspy_cvae.artefacts._artefacts import (
    BRIGHTNESS,
    CONSTANT_CHANNEL,
    DEAD,
    HIT,
    NOISY,
    NOISY_CHANNEL,
    ROW,
    SATURATED,
    UNUSABLE,
    Artefacts,
    find_artefacts,
)
from hyperspy_cvae.artefacts._hits import Hits, deviance_roots, find_hits

__all__ = [
    "BRIGHTNESS",
    "CONSTANT_CHANNEL",
    "DEAD",
    "HIT",
    "NOISY",
    "NOISY_CHANNEL",
    "ROW",
    "SATURATED",
    "UNUSABLE",
    "Artefacts",
    "Hits",
    "deviance_roots",
    "find_artefacts",
    "find_hits",
]
