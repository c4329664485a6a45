"""Panels and figures that follow the mouse."""

from hyperspy_cvae.gui._decision import AnomalyDecision
from hyperspy_cvae.gui._explorer import Explorer

__all__ = ["AnomalyDecision", "Explorer"]
