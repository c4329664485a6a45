"""No windows, no toolkit, no progress bars."""

import logging

import matplotlib
from hyperspy.defaults_parser import preferences
from traits.etsconfig.api import ETSConfig

matplotlib.use("Agg")
ETSConfig.toolkit = "null"
preferences.General.show_progressbar = False
# It logs on import that an optional dependency is absent, in the middle of a doctest's output.
logging.getLogger("hyperspy").setLevel(logging.ERROR)
