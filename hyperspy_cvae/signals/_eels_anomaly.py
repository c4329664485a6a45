"""The signal classes."""

from exspy.signals import EELSSpectrum, LazyEELSSpectrum


class EELSAnomalySignal(EELSSpectrum):
    """An EELS spectrum image that can be searched for anomalies."""

    _signal_type = "EELSAnomaly"
    _alias_signal_types: list[str] = []  # noqa: RUF012


class LazyEELSAnomalySignal(EELSAnomalySignal, LazyEELSSpectrum):
    """The lazy twin of :class:`EELSAnomalySignal`."""
