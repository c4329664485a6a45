"""Simulated spectrum images with known truth, and the injection of anomalies."""

from hyperspy_cvae.phantoms._anomaly import (
    FE_L_WINDOW,
    LocalChemistry,
    PeakShift,
    discs,
    inject,
    roll_edge,
)
from hyperspy_cvae.phantoms._detector import Detector
from hyperspy_cvae.phantoms._phantom import Phantom, bifeo3, paper_si
from hyperspy_cvae.phantoms._spectra import FineStructure
from hyperspy_cvae.phantoms._structure import UNIFORM, Structure

__all__ = [
    "FE_L_WINDOW",
    "UNIFORM",
    "Detector",
    "FineStructure",
    "LocalChemistry",
    "PeakShift",
    "Phantom",
    "Structure",
    "bifeo3",
    "discs",
    "inject",
    "paper_si",
    "roll_edge",
]
