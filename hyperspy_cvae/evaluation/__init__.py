"""What a detector finds of anomalies that are injected into recorded counts: pure functions."""

from hyperspy_cvae.evaluation._discs import (
    EXCEPTIONS,
    bright_pixels,
    disc,
    fitting_radius,
    near,
    place_discs,
    placements,
)
from hyperspy_cvae.evaluation._injection import (
    Addition,
    Injection,
    Kind,
    Shift,
    edge_profile,
    peak_profile,
    shifted,
)
from hyperspy_cvae.evaluation._rates import Rates, rates, smallest_found
from hyperspy_cvae.evaluation._sizes import relative_sizes, shift_sizes
from hyperspy_cvae.evaluation._smallest_shift import smallest_shift
from hyperspy_cvae.evaluation._sweep import sweep

__all__ = [
    "EXCEPTIONS",
    "Addition",
    "Injection",
    "Kind",
    "Rates",
    "Shift",
    "bright_pixels",
    "disc",
    "edge_profile",
    "fitting_radius",
    "near",
    "peak_profile",
    "place_discs",
    "placements",
    "rates",
    "relative_sizes",
    "shift_sizes",
    "shifted",
    "smallest_found",
    "smallest_shift",
    "sweep",
]
