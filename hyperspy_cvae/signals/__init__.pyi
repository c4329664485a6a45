__all__ = [
    "AnomalyMaps",
    "ComparedDetectors",
    "DetectionLimit",
    "EELSAnomalySignal",
    "LazyEELSAnomalySignal",
    "load",
]

from ._detection_limit import DetectionLimit
from ._detectors import ComparedDetectors
from ._eels_anomaly import EELSAnomalySignal, LazyEELSAnomalySignal
from ._load import load
from ._maps import AnomalyMaps
