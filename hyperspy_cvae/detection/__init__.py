"""From reconstructions to anomalies: scores, thresholds and regions, as pure functions."""

from hyperspy_cvae.detection._pearson import pearson_correlation
from hyperspy_cvae.detection._threshold import (
    Threshold,
    anomalous,
    fixed_threshold,
    otsu_threshold,
)

__all__ = ["Threshold", "anomalous", "fixed_threshold", "otsu_threshold", "pearson_correlation"]
