__all__ = [
    "AnomalyMaps",
    "ComparedDetectors",
    "DetectionLimit",
    "EELSAnomalySignal",
    "LazyEELSAnomalySignal",
    "load",
]

from ._compared import ComparedDetectors
from ._detection_limit import DetectionLimit
from ._eels_anomaly import EELSAnomalySignal, LazyEELSAnomalySignal
from ._load import load
from ._maps import AnomalyMaps
