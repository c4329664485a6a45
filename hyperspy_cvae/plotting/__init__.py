"""Figures of maps: plain arrays and their calibration in, a matplotlib Figure out."""

from hyperspy_cvae.plotting._comparison import plot_comparison
from hyperspy_cvae.plotting._maps import plot_maps

__all__ = ["plot_comparison", "plot_maps"]
