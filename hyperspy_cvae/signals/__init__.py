"""HyperSpy's face of the package: the signal classes, the maps and the loader."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
