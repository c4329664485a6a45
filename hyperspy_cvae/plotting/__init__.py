"""Figures of maps and spectra: plain arrays and their calibration in, pictures out."""

from hyperspy_cvae.plotting._comparison import plot_comparison
from hyperspy_cvae.plotting._decision import HISTOGRAM_SPAN, ThresholdPictures
from hyperspy_cvae.plotting._drawing import ANOMALOUS, MAP, colour_limits, outline
from hyperspy_cvae.plotting._found_shares import (
    FoundShares,
    plot_detection_limit,
    plot_detectors,
)
from hyperspy_cvae.plotting._history import plot_history
from hyperspy_cvae.plotting._html import as_html
from hyperspy_cvae.plotting._latent import plot_latent_similarity
from hyperspy_cvae.plotting._maps import plot_maps
from hyperspy_cvae.plotting._quality import plot_reconstruction_quality
from hyperspy_cvae.plotting._region import plot_region
from hyperspy_cvae.plotting._spectra import SpectraPlot

__all__ = [
    "ANOMALOUS",
    "HISTOGRAM_SPAN",
    "MAP",
    "FoundShares",
    "SpectraPlot",
    "ThresholdPictures",
    "as_html",
    "colour_limits",
    "outline",
    "plot_comparison",
    "plot_detection_limit",
    "plot_detectors",
    "plot_history",
    "plot_latent_similarity",
    "plot_maps",
    "plot_reconstruction_quality",
    "plot_region",
]
