"""Edges of eXSpy's tables: all that structure in a range may belong to, and no others."""

import numpy as np
import pytest
from exspy.signals import EELSSpectrum

from hyperspy_cvae.detection import edges_at
from hyperspy_cvae.signals._edges import edges_in


@pytest.mark.parametrize("elements", [("Fe", "O"), ()])
@pytest.mark.parametrize("signal_range", [(690.0, 719.5), (722.0, 745.0), (530.0, 560.0)])
def test_what_a_structure_in_range_belongs_to_is_there(
    elements: tuple[str, ...], signal_range: tuple[float, float]
) -> None:
    signal = EELSSpectrum(np.ones(10))
    signal.add_elements(elements)
    everything, edges = edges_in(signal, 300.0, 1000.0), edges_in(signal, *signal_range)
    for energy in np.linspace(*signal_range, 100):
        assert edges_at(energy, edges) == edges_at(energy, everything)
    assert all(signal_range[0] - 12 <= edge.onset <= signal_range[1] + 3 for edge in edges)


def test_white_line_that_begins_before_its_onset_belongs_to_its_edge() -> None:
    signal = EELSSpectrum(np.ones(10))
    signal.add_elements(["Fe"])
    declared = {str(edge) for edge in edges_in(signal, 690.0, 719.5) if edge.declared}
    assert declared == {"Fe L3", "Fe L2"}
