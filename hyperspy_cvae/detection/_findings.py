"""What a region's spectrum shows, as numbers and as sentences."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.detection._edges import Edge

EXPLAINED_AT_ONCE = 20  # regions; of a thousand hardly anyone reads more, and it would take long

Kind = Literal["shift", "intensity", "excess", "level"]


@dataclass(frozen=True)
class Finding:
    """One thing that is other than in the bulk.

    Attributes
    ----------
    kind
        ``"shift"`` of a maximum of the bulk; ``"intensity"`` of such a maximum above its
        surroundings; an ``"excess"`` of counts of another form, or a lack; or the ``"level"`` of
        all counts.
    energy
        Where: of the maximum in the bulk, of the middle of the excess, or of the range.
    change
        How much: a shift in units of energy, anything else relative to the bulk. That of a level is
        from the low to the high end of the range.
    error
        Standard error of the change.
    significance
        In standard deviations of a normal distribution, after allowing for all that was looked at
        and for how well the error is known: less than the change over its error.
    edges
        The edge it belongs to if its element is declared, or up to two that it lies near.
    units
        Units of the energies.

    Examples
    --------
    >>> fe_l3, mn_l3 = Edge("Fe_L3", 708.0, declared=True), Edge("Mn_L3", 640.0)
    >>> print(Finding("shift", 713.4, -1.6, 0.1, 15.8, (fe_l3,)))
    Fe L3 maximum 1.6 ± 0.1 eV lower than in bulk (713.4 eV), 16 sigma
    >>> print(Finding("excess", 641.5, 0.09, 0.01, 8.7, (mn_l3,)))
    excess of 9 ± 1 % at 641.5 eV, near Mn L3 (onset 640 eV), 9 sigma
    """

    kind: Kind
    energy: float
    change: float
    error: float
    significance: float
    edges: tuple[Edge, ...] = ()
    units: str = "eV"

    def __str__(self) -> str:
        return f"{self._change()}, {self.sigmas}"

    @property
    def _declared(self) -> bool:
        return bool(self.edges) and self.edges[0].declared

    @property
    def sigmas(self) -> str:
        """The significance in words."""
        return f"{self.significance:.0f} sigma" if self.significance >= 1 else "less than 1 sigma"

    @property
    def place(self) -> str:
        """The energy, and of an excess the onsets that it lies near."""
        place = f"{self.energy:.5g} {self.units}".rstrip()
        if self.kind != "excess" or not self.edges:
            return place
        onsets = " or ".join(f"{edge} (onset {edge.onset:g} eV)" for edge in self.edges)
        return f"{place}, {'at' if self._declared else 'near'} {onsets}"

    @property
    def amount(self) -> str:
        """The change without its sign, with its error."""
        factor, units = (1, self.units) if self.kind == "shift" else (100, "%")
        change, error = factor * abs(self.change), factor * self.error
        # As many digits as the error gives a meaning to.
        first = np.floor(np.log10(float(f"{max(error, 1e-6):.1g}")))
        digits = max(0, -int(first))
        return f"{change:.{digits}f} ± {error:.{digits}f} {units}".rstrip()

    def _change(self) -> str:
        more = self.change > 0
        if self.kind == "level":
            return f"level {'rises' if more else 'falls'} by {self.amount} over the range"
        if self.kind == "excess":
            return f"{'excess' if more else 'lack'} of {self.amount} at {self.place}"
        names = " or ".join(map(str, self.edges))
        near = f" near {names}" if names else ""
        maximum = f"{names} maximum" if self._declared else f"maximum{near}"
        if self.kind == "shift":
            comparison = "higher" if more else "lower"
            return f"{maximum} {self.amount} {comparison} than in bulk ({self.place})"
        comparison = "stronger" if more else "weaker"
        return f"{maximum} at {self.place} {self.amount} {comparison} than in bulk"


@dataclass(frozen=True)
class Explanation:
    """How the mean spectrum of a region differs from that of the bulk; prints as a sentence.

    Attributes
    ----------
    findings
        What stands out, the most significant first; at most three.
    largest
        The largest deviation around one energy, whether it stands out or not. None if nothing can
        be told, for want of pixels that tell the noise.
    energies
        Energies of the channels compared, ``(energy,)``.
    measured, error
        Mean counts of the region, and their standard error.
    bulk
        Mean counts of the bulk, scaled to those of the region.
    fitted
        Counts that the bulk would have with these findings, and with the straight line that was
        fitted beneath a maximum beside its shift and intensity.
    """

    findings: tuple[Finding, ...]
    largest: Finding | None
    energies: NDArray[np.floating] = field(compare=False)
    measured: NDArray[np.float64] = field(compare=False)
    error: NDArray[np.float64] = field(compare=False)
    bulk: NDArray[np.float64] = field(compare=False)
    fitted: NDArray[np.float64] = field(compare=False)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __repr__(self) -> str:
        return "; ".join(self.sentences)

    @property
    def sentences(self) -> list[str]:
        """One for each finding, or one that says that there is none."""
        if self.findings:
            return [str(finding) for finding in self.findings]
        if self.largest is None:
            return ["cannot be told: too few pixels outside tell the noise"]
        sign = "-" if self.largest.change < 0 else "+"
        return [
            f"no single change stands out; the largest deviation is {sign}{self.largest.amount} at "
            f"{self.largest.place}, {self.largest.sigmas}"
        ]


class Explanations(Mapping[int, Explanation]):
    """Explanations by the number of their region; prints the first 20, a line for each sentence.

    Each is found out when it is asked for, and kept.

    Parameters
    ----------
    explain
        What returns them.
    """

    def __init__(self, explain: Mapping[int, Callable[[], Explanation]]) -> None:
        self._explain = explain
        self._known: dict[int, Explanation] = {}

    def __getitem__(self, region: int) -> Explanation:
        if region not in self._known:
            self._known[region] = self._explain[region]()
        return self._known[region]

    def __iter__(self) -> Iterator[int]:
        return iter(self._explain)

    def __len__(self) -> int:
        return len(self._explain)

    def __repr__(self) -> str:
        if not self:
            return "no region was found"
        lines = []
        for each in islice(self, EXPLAINED_AT_ONCE):
            name = f"region {each}: "
            lines.append(name + f"\n{'':{len(name)}}".join(self[each].sentences))
        if len(self) > EXPLAINED_AT_ONCE:
            left = f"{EXPLAINED_AT_ONCE + 1} to {len(self)}"
            lines.append(f"regions {left} are explained when asked for by their number")
        return "\n".join(lines)
