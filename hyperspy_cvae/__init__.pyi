__all__ = ["CVAE", "AnomalyMaps", "EELSAnomalySignal", "LazyEELSAnomalySignal", "load", "phantoms"]

from . import phantoms
from .reconstruction import CVAE
from .signals import AnomalyMaps, EELSAnomalySignal, LazyEELSAnomalySignal, load
