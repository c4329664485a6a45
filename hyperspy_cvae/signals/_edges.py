"""The edges that a change of a spectrum may belong to, from eXSpy's tables."""

from exspy.utils.eels import get_edges_near_energy, get_info_from_edges
from hyperspy.signals import BaseSignal

from hyperspy_cvae.detection import BEFORE_ONSET, BEHIND_ONSET, Edge


def edges_in(signal: BaseSignal, low: float, high: float) -> list[Edge]:
    """Return the edges that may have structure between two energies in eV.

    Of the elements of ``metadata.Sample``, which ``add_elements`` sets, these are all edges; they
    are called declared. Of all others they are the major ones that begin with a sharp structure: K
    and L edges, and M4,5 where it has white lines.
    """
    elements = signal.metadata.get_item("Sample.elements", [])
    first, last = low - BEHIND_ONSET, high + BEFORE_ONSET
    names = get_edges_near_energy((first + last) / 2, last - first)
    edges = []
    for name, about in zip(names, get_info_from_edges(names), strict=True):
        element, shell = name.split("_")
        sharp = shell[0] in "KL" or about["threshold"].lower() == "sharp peak"
        declared = element in elements
        if declared or (about["relevance"] == "Major" and sharp):
            edges.append(Edge(name, float(about["onset_energy (eV)"]), declared))
    return edges
