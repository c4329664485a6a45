__all__ = [
    "CVAE",
    "AnomalyMaps",
    "ComparedDetectors",
    "DetectionLimit",
    "EELSAnomalySignal",
    "LazyEELSAnomalySignal",
    "load",
    "phantoms",
]

from . import phantoms
from .reconstruction import CVAE
from .signals import (
    AnomalyMaps,
    ComparedDetectors,
    DetectionLimit,
    EELSAnomalySignal,
    LazyEELSAnomalySignal,
    load,
)
