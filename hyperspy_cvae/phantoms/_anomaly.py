"""Anomalies: discs in which an edge is another, in simulated or in recorded counts."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from hyperspy_cvae.phantoms._spectra import FineStructure
from hyperspy_cvae.phantoms._types import BoolArray, FloatArray

Mode = Literal["shift", "roll"]

FE_L_WINDOW = (711.5, 723.8)
"""The paper's window of the circular roll in eV: 41 channels of 0.30 eV."""

_PLACEMENTS = 10_000


@dataclass(frozen=True)
class PeakShift:
    """Discs in which the Fe L2,3 edge lies at a higher energy loss, and Mn L2,3 with it.

    Discs in a layer without iron are in the truth although nothing changes there.

    Attributes
    ----------
    shift
        How far the edge moves to higher loss, in eV; negative moves it to lower loss.
    mode
        ``"shift"`` moves the edge in the expected counts, before the noise is drawn.
        ``"roll"`` is the paper's: it rolls the recorded counts, noise included, round inside
        ``window`` by a whole number of channels, so that its tail comes back at its front.
    window
        Energy window of the roll in eV, ``(start, stop)``; unused by ``"shift"``.
    discs
        Number of discs.
    radius
        Radius of the discs in pixels.

    Examples
    --------
    >>> PeakShift(0.9).mode
    'shift'
    """

    shift: float = 2.4
    mode: Mode = "shift"
    window: tuple[float, float] = FE_L_WINDOW
    discs: int = 4
    radius: float = 7.0

    def __post_init__(self) -> None:
        _check_mode(self.mode)

    def __bool__(self) -> bool:
        return self.shift != 0


@dataclass(frozen=True)
class LocalChemistry:
    """Discs in which valence, bonding or composition are other than in the crystal around.

    Discs in a layer without iron are in the truth although only the prepeak can change there.

    Attributes
    ----------
    l3
        By how much the white lines of Fe lie higher, in eV.
    l2
        What is added to the height of Fe L2 over that of Fe L3.
    prepeak
        What is added to the height of the O K prepeak over the O K step.
    manganese
        Share of the iron that is replaced by manganese, 0 to 1.
    discs
        Number of discs.
    radius
        Radius of the discs in pixels.

    Examples
    --------
    Fe2+ in place of Fe3+, and one atom in eight replaced by manganese:

    >>> valence, dopant = LocalChemistry(l3=-1.6, l2=-0.1), LocalChemistry(manganese=0.12)
    >>> round(dopant.of(FineStructure()).iron, 2)
    0.88
    """

    l3: float = 0.0
    l2: float = 0.0
    prepeak: float = 0.0
    manganese: float = 0.0
    discs: int = 4
    radius: float = 7.0

    def __post_init__(self) -> None:
        if not 0 <= self.manganese <= 1:
            raise ValueError(f"manganese is {self.manganese}; it must lie between 0 and 1.")

    def __bool__(self) -> bool:
        return any((self.l3, self.l2, self.prepeak, self.manganese))

    def of(self, kind: FineStructure) -> FineStructure:
        """Return the fine structure that a kind of domain has in the discs."""
        return replace(
            kind,
            l3=kind.l3 + self.l3,
            l2=max(kind.l2 + self.l2, 0),
            prepeak=max(kind.prepeak + self.prepeak, 0),
            iron=kind.iron * (1 - self.manganese),
            manganese=kind.manganese + kind.iron * self.manganese,
        )


def discs(shape: tuple[int, int], n: int, radius: float, seed: int = 0) -> BoolArray:
    """Return a mask of ``n`` discs that lie inside the scan and do not touch.

    Parameters
    ----------
    shape
        Rows and columns of the scan.
    n
        Number of discs.
    radius
        Their radius in pixels.
    seed
        Same seed, same discs.

    Returns
    -------
    numpy.ndarray
        bool, shape ``shape``, True inside the discs.

    Raises
    ------
    ValueError
        If the discs have no room.

    Examples
    --------
    >>> int(discs((16, 16), n=2, radius=1).sum())
    10
    """
    if n < 0 or radius < 0:
        raise ValueError(f"n is {n} and radius is {radius}; neither may be negative.")
    generator = np.random.default_rng(seed)
    rows, cols = np.indices(shape)
    mask = np.zeros(shape, bool)
    margin = int(np.ceil(radius))
    centres: list[tuple[int, int]] = []
    for _ in range(_PLACEMENTS):
        if len(centres) == n or min(shape) <= 2 * margin:
            break
        row, col = (int(generator.integers(margin, extent - margin)) for extent in shape)
        if all(np.hypot(row - r, col - c) > 2 * radius + 1 for r, c in centres):
            centres.append((row, col))
            mask |= np.hypot(rows - row, cols - col) <= radius
    if len(centres) < n:
        raise ValueError(
            f"{n} discs of radius {radius} px have no room in a scan of {shape[0]} x {shape[1]} "
            "pixels; ask for fewer or smaller discs."
        )
    return mask


def inject(
    counts: FloatArray,
    mask: BoolArray,
    shift: float,
    energy: FloatArray,
    window: tuple[float, float] = FE_L_WINDOW,
    mode: Mode = "shift",
) -> FloatArray:
    """Return a copy of a spectrum image whose edge is moved in the masked pixels.

    For ``"shift"`` the honest input is the expected counts (a noise-free model of the spectrum
    image), with the noise drawn afterwards: shifting recorded counts by a fraction of a channel
    smooths their noise, which a detector can see. The ``"roll"`` of recorded counts is what the
    paper did.

    Parameters
    ----------
    counts
        Expected or recorded counts, shape ``(rows, columns, channels)``.
    mask
        bool, shape ``(rows, columns)``, True where to inject.
    shift
        Shift to higher loss in eV; ``"roll"`` rounds it to whole channels.
    energy
        Energy axis in eV, shape ``(channels,)``, evenly spaced.
    window
        ``(start, stop)`` in eV: where the edge is. ``"roll"`` moves counts inside it only;
        ``"shift"`` moves all above the straight line through the counts at its two ends.
    mode
        ``"shift"`` or ``"roll"``.

    Returns
    -------
    numpy.ndarray
        Shape and type of ``counts``.

    Raises
    ------
    ValueError
        If the mask does not fit, the mode is unknown or the window leaves the energy axis.

    Examples
    --------
    >>> counts = np.array([[[0.0, 0, 5, 1, 0, 0]]])
    >>> energy = np.arange(710.0, 716.0)
    >>> mask = np.array([[True]])
    >>> inject(counts, mask, 1.0, energy, window=(710, 716))
    array([[[0., 0., 0., 5., 1., 0.]]])
    >>> inject(counts, mask, 3.0, energy, window=(710, 716), mode="roll")
    array([[[1., 0., 0., 0., 0., 5.]]])
    """
    _check_mode(mode)
    if mask.shape != counts.shape[:2]:
        raise ValueError(
            f"mask has the shape {mask.shape}; the navigation shape of counts is "
            f"{counts.shape[:2]}."
        )
    if energy.shape != counts.shape[2:]:
        raise ValueError(
            f"energy has the shape {energy.shape}; counts has {counts.shape[2:]} channels."
        )
    injected = counts.copy()
    move = roll_edge if mode == "roll" else _shift_edge
    injected[mask] = move(counts[mask], shift, energy, window)
    return injected


def roll_edge(
    spectra: FloatArray,
    shift: float,
    energy: FloatArray,
    window: tuple[float, float] = FE_L_WINDOW,
) -> FloatArray:
    """Return spectra rolled round inside an energy window, as the paper injects its anomaly.

    The counts of the window are moved by ``round(shift / dispersion)`` channels and re-enter at
    its other end, so shifts that add up to the window's width are equally strong.

    Parameters
    ----------
    spectra
        Counts, shape ``(..., channels)``.
    shift
        Shift to higher loss in eV.
    energy
        Energy axis in eV, shape ``(channels,)``, evenly spaced.
    window
        ``(start, stop)`` in eV, stop excluded.

    Examples
    --------
    >>> roll_edge(np.arange(6), 2.0, np.arange(6.0), window=(1, 5))
    array([0, 3, 4, 1, 2, 5])
    """
    inside = _channels(energy, window)
    rolled = spectra.copy()
    channels = round(shift / float(energy[1] - energy[0]))
    rolled[..., inside] = np.roll(spectra[..., inside], channels, axis=-1)
    return rolled


def _shift_edge(
    spectra: FloatArray, shift: float, energy: FloatArray, window: tuple[float, float]
) -> FloatArray:
    inside = _channels(energy, window)
    spectra_inside = spectra[..., inside]
    along = np.linspace(0.0, 1.0, spectra_inside.shape[-1])
    line = spectra_inside[..., :1] * (1 - along) + spectra_inside[..., -1:] * along
    above = spectra_inside - line
    dispersion = float(energy[1] - energy[0])
    source = np.arange(along.size) - shift / dispersion
    lower = np.floor(source).astype(int)
    part = source - lower
    padded = np.pad(above, [(0, 0)] * (above.ndim - 1) + [(1, 1)])
    left, right = (np.clip(lower + k, 0, along.size + 1) for k in (1, 2))
    shifted = spectra.copy()
    shifted[..., inside] = line + (1 - part) * padded[..., left] + part * padded[..., right]
    return shifted


def _channels(energy: FloatArray, window: tuple[float, float]) -> slice:
    """Return the channels with ``window[0] <= energy < window[1]``."""
    start, stop = window
    dispersion = float(energy[1] - energy[0])
    # An energy axis counted up in floating point misses its own grid by some 1e-13 eV.
    slack = 1e-6 * dispersion
    if not energy[0] - slack <= start < stop <= energy[-1] + dispersion + slack:
        raise ValueError(
            f"window ({start:g}, {stop:g}) eV must rise and lie inside the energy axis "
            f"{energy[0]:g}-{energy[-1]:g} eV."
        )
    first, last = np.searchsorted(energy, (start - slack, stop - slack))
    return slice(int(first), int(last))


def _check_mode(mode: str) -> None:
    if mode not in get_args(Mode):
        raise ValueError(f"mode is {mode!r}; it must be 'shift' or 'roll'.")
