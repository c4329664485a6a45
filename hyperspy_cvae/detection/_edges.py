"""Ionisation edges, and which of them lie where a spectrum has a structure."""

from collections.abc import Sequence
from dataclasses import dataclass

# How far a structure may lie before and behind the onset that tables give, in eV: chemical shifts
# and the error of an energy axis move both, and the fine structure of a K edge goes on for 10 eV.
BEFORE_ONSET, BEHIND_ONSET = 3.0, 12.0
_USUAL = 1.5
_MOST_GUESSES, _MUCH_FARTHER = 2, 6.0


@dataclass(frozen=True)
class Edge:
    """An ionisation edge.

    Attributes
    ----------
    name
        As eXSpy names it, such as ``"Fe_L3"``.
    onset
        Energy loss of its onset in eV.
    declared
        Whether its element is known to be in the specimen.

    Examples
    --------
    >>> print(Edge("Fe_L3", 708.0))
    Fe L3
    """

    name: str
    onset: float
    declared: bool = False

    def __str__(self) -> str:
        return self.name.replace("_", " ")


def edges_at(energy: float, edges: Sequence[Edge]) -> tuple[Edge, ...]:
    """Return the edge that a structure belongs to, or those it may belong to.

    A structure lies from 3 eV before to 12 eV behind the onset of its edge, and more likely the
    closer it is to 1.5 eV behind. The most likely edge of a declared element is returned; if there
    is none, the two most likely of other elements, the second unless it is 6 eV farther.

    Parameters
    ----------
    energy
        Energy loss of the structure in eV.
    edges
        The edges to choose from.

    Examples
    --------
    >>> edges = [Edge("Fe_L3", 708.0), Edge("Fe_L2", 721.0), Edge("Cs_M5", 726.0)]
    >>> [str(edge) for edge in edges_at(727.0, edges)]
    ['Cs M5', 'Fe L2']
    >>> [str(edge) for edge in edges_at(727.0, [*edges, Edge("Fe_L2", 721.0, declared=True)])]
    ['Fe L2']
    """

    def apart(edge: Edge) -> float:
        return abs(energy - edge.onset - _USUAL)

    near = sorted(
        (each for each in edges if -BEFORE_ONSET <= energy - each.onset <= BEHIND_ONSET), key=apart
    )
    if declared := [edge for edge in near if edge.declared]:
        return tuple(declared[:1])
    elements: dict[str, Edge] = {}
    for edge in near:
        elements.setdefault(edge.name.split("_")[0], edge)
    likely = [edge for edge in elements.values() if apart(edge) < apart(near[0]) + _MUCH_FARTHER]
    return tuple(likely[:_MOST_GUESSES])
