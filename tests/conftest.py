"""No windows, no toolkit, no progress bars."""

import matplotlib
from hyperspy.defaults_parser import preferences
from traits.etsconfig.api import ETSConfig

matplotlib.use("Agg")
ETSConfig.toolkit = "null"
preferences.General.show_progressbar = False
