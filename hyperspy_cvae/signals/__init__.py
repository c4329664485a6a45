"""HyperSpy's face of the package: the signal classes, the maps and the loader."""

from hyperspy_cvae.signals._eels_anomaly import EELSAnomalySignal, LazyEELSAnomalySignal

__all__ = ["EELSAnomalySignal", "LazyEELSAnomalySignal"]
