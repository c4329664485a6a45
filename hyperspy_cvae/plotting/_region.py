"""The figure of one region: its mean spectrum beside the bulk's, and what is other."""

from collections.abc import Sequence
from textwrap import wrap

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hyperspy_cvae.detection import Edge, Explanation
from hyperspy_cvae.plotting._drawing import BULK
from hyperspy_cvae.plotting._spectra import SpectraPlot

_LINE = 95  # characters
_CHARACTER = 0.0125  # width of one in a label, of the width of the axes


def plot_region(
    explanation: Explanation,
    *,
    edges: Sequence[Edge] = (),
    ev: float = 1.0,
    units: str = "eV",
    title: str = "",
) -> Figure:
    """Draw the mean spectra of a region above their difference, with what explains it as title.

    Parameters
    ----------
    explanation
        What is other than in the bulk, with the counts.
    edges
        Edges to mark beside those of the explanation.
    ev
        The unit of energy in eV.
    units
        Its name.
    title
        First line of the title.

    Returns
    -------
    matplotlib.figure.Figure
        Made with pyplot, so that it appears where figures appear.

    Examples
    --------
    >>> import numpy as np
    >>> from hyperspy_cvae.detection import explain_difference
    >>> energies = np.arange(700, 730, 0.25)
    >>> bulk = 1000 + 500 / (1 + (energies - 710) ** 2)
    >>> more, error = 1.1 * bulk - 100, np.full(energies.size, 2.0)
    >>> figure = plot_region(explain_difference(energies, more, bulk, error, 0.25))
    >>> figure.get_suptitle()
    'maximum at 710 eV 9.5 ± 0.2 % stronger than in bulk, 48 sigma'
    >>> plt.close(figure)
    """
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(7.4, 5.4), height_ratios=(1.5, 1), layout="constrained"
    )
    plot = SpectraPlot(above, below, explanation.energies, units, bulk="bulk, scaled to the counts")
    plot.show(explanation.measured, explanation.bulk, explanation.error, "")
    if explanation.findings:
        plot.explain(explanation.fitted - explanation.bulk)
    marked = {edge.name: edge for finding in explanation for edge in finding.edges}
    marked |= {edge.name: edge for edge in edges}
    _mark_edges([above, below], list(marked.values()), ev)
    lines = [part for line in (title, *explanation.sentences) for part in wrap(line, _LINE)]
    figure.suptitle("\n".join(lines), fontsize="medium", parse_math=False)
    return figure


def _mark_edges(axes: Sequence[Axes], edges: Sequence[Edge], ev: float) -> None:
    """Mark the onsets in range, and name them above, in several rows where they are close."""
    low, high = axes[0].get_xlim()
    ends: list[float] = []  # where each row of names ends
    for edge in sorted(edges, key=lambda edge: edge.onset):
        place = (edge.onset / ev - low) / (high - low)
        if not 0 <= place <= 1:
            continue
        for each in axes:
            each.axvline(edge.onset / ev, color=BULK, lw=0.8, ls=":")
        half = _CHARACTER * (len(str(edge)) + 1) / 2
        row = next((row for row, end in enumerate(ends) if end <= place - half), len(ends))
        ends[row : row + 1] = [place + half]
        axes[0].annotate(
            str(edge),
            (place, 1),
            xycoords="axes fraction",
            xytext=(0, 2 + 10 * row),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize="small",
        )
