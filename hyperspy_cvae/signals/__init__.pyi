__all__ = ["AnomalyMaps", "EELSAnomalySignal", "LazyEELSAnomalySignal", "load"]

from ._eels_anomaly import EELSAnomalySignal, LazyEELSAnomalySignal
from ._load import load
from ._maps import AnomalyMaps
