"""Edges: which one a structure is said to belong to."""

import pytest

from hyperspy_cvae.detection import Edge, edges_at


def named(energy: float, declared: str, *others: str) -> list[str]:
    onsets = {"Ti_L3": 456.0, "Ti_L2": 462.0, "O_K": 532.0, "V_L2": 521.0, "Sb_M5": 528.0}
    edges = [Edge(name, onsets[name], declared=True) for name in declared.split()]
    edges += [Edge(name, onsets[name]) for name in others]
    return [edge.name for edge in edges_at(energy, edges)]


@pytest.mark.parametrize(
    ("energy", "name"),
    [(457.6, "Ti_L3"), (459.8, "Ti_L3"), (463.0, "Ti_L2"), (465.4, "Ti_L2"), (530.0, "O_K")],
)
def test_structure_lies_behind_its_onset(energy: float, name: str) -> None:
    assert named(energy, "Ti_L3 Ti_L2 O_K") == [name]


def test_too_far_from_any() -> None:
    assert named(445.0, "Ti_L3") == named(470.0, "Ti_L3") == []


def test_declared_element_goes_first() -> None:
    assert named(530.0, "O_K", "Sb_M5") == ["O_K"]
    assert named(530.0, "Ti_L3", "Sb_M5") == ["Sb_M5"]


def test_undeclared_elements_are_guesses_of_one_edge_each() -> None:
    assert named(532.0, "", "O_K", "Sb_M5", "V_L2") == ["O_K", "Sb_M5"]
    assert named(463.0, "", "Ti_L3", "Ti_L2") == ["Ti_L2"]
