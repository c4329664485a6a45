"""Anomaly detection in EELS spectrum images with a 3D convolutional variational autoencoder."""

import lazy_loader

from hyperspy_cvae._version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
