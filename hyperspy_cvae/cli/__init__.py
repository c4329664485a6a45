"""The command ``hyperspy-cvae``: a demonstration, anomaly maps of files, what a file holds."""

from hyperspy_cvae.cli._main import main

__all__ = ["main"]
