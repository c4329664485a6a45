"""Core-loss spectra of bismuth ferrite: the background, its edges and plural scattering."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import fftconvolve

from hyperspy_cvae.phantoms._types import FloatArray

_L3_WIDTH = 2.0
_L2_WIDTH = 2.6
_PLASMON_ENERGY = 22.0
_PLASMON_WIDTH = 6.0
_MARGIN = 5 * _PLASMON_ENERGY


@dataclass(frozen=True)
class FineStructure:
    """One kind of domain: its near-edge fine structure (ELNES) and what it holds in place of Fe.

    Attributes
    ----------
    l3
        Energy loss of the Fe L3 maximum in eV.
    splitting
        Crystal-field splitting of the Fe 3d states, t2g to eg, in eV: the low-loss shoulder of
        each white line sits that far below its maximum.
    t2g
        Height of that shoulder over the height of the maximum.
    l2
        Height of Fe L2 over that of Fe L3.
    spin_orbit
        Distance of Fe L2 from Fe L3 in eV.
    prepeak
        Height of the O K prepeak (O 2p hybridised with Fe 3d) over the O K step.
    oxygen
        Energy loss of the O K onset in eV.
    iron
        Height of Fe L2,3 over that of the crystal; 0 where there is no iron.
    manganese
        Height of Mn L2,3 in the same unit.

    Examples
    --------
    >>> FineStructure(l3=713.9).splitting
    1.6
    """

    l3: float = 713.4
    splitting: float = 1.6
    t2g: float = 0.35
    l2: float = 0.45
    spin_orbit: float = 12.9
    prepeak: float = 0.6
    oxygen: float = 531.0
    iron: float = 1.0
    manganese: float = 0.0


def power_law(energy: FloatArray, exponent: float, reference: float) -> FloatArray:
    """Return the background ``(E / reference) ** -exponent`` below the edges.

    Parameters
    ----------
    energy
        Energy loss in eV, any shape.
    exponent
        The power law's exponent.
    reference
        Energy loss in eV at which the background is 1.

    Examples
    --------
    >>> power_law(np.array([100.0, 200.0]), exponent=3.0, reference=100.0)
    array([1.   , 0.125])
    """
    return (energy / reference) ** -exponent


def fe_l23(energy: FloatArray, fine: FineStructure) -> FloatArray:
    """Return the Fe L2,3 edge: two white lines, each a t2g/eg doublet, on two steps.

    The maximum of the L3 white line is about 1; the continuum steps are 1/12 (L3) and 1/24 (L2)
    of it, the ratio 2:1 of the initial states.

    Parameters
    ----------
    energy
        Energy loss in eV, shape ``(channels,)``.
    fine
        Fine structure of the edge.
    """
    edge = np.zeros_like(energy)
    for maximum, height, width, step in (
        (fine.l3, 1.0, _L3_WIDTH, 1 / 12),
        (fine.l3 + fine.spin_orbit, fine.l2, _L2_WIDTH, 1 / 24),
    ):
        edge += height * _lorentzian(energy, maximum, width)
        edge += height * fine.t2g * _lorentzian(energy, maximum - fine.splitting, width)
        edge += step * _step(energy, maximum, width)
    return edge


def mn_l23(energy: FloatArray) -> FloatArray:
    """Return the Mn L2,3 edge, of the form of :func:`fe_l23`, L3 at 641.5 eV.

    Parameters
    ----------
    energy
        Energy loss in eV, shape ``(channels,)``.
    """
    return fe_l23(energy, FineStructure(l3=641.5, spin_orbit=11.1, l2=0.5))


def o_k(energy: FloatArray, fine: FineStructure) -> FloatArray:
    """Return the O K edge: prepeak, Bi 6sp and Fe 4sp bands on a step of height 1.

    Parameters
    ----------
    energy
        Energy loss in eV, shape ``(channels,)``.
    fine
        Fine structure of the edge.
    """
    onset = fine.oxygen
    edge = _step(energy, onset + 2.5, 2.0)
    edge += fine.prepeak * _lorentzian(energy, onset, 1.8)
    edge += 0.6 * fine.prepeak * _lorentzian(energy, onset - fine.splitting, 1.6)
    edge += 0.7 * _lorentzian(energy, onset + 5.0, 4.0)
    edge += 0.5 * _lorentzian(energy, onset + 11.0, 6.0)
    edge += 0.15 * _lorentzian(energy, onset + 28.0, 14.0)
    return edge


def bi_n(energy: FloatArray) -> FloatArray:
    """Return the faint, delayed Bi N4,5, N3 and N2 edges (440, 679 and 805 eV).

    Parameters
    ----------
    energy
        Energy loss in eV, shape ``(channels,)``.
    """
    return (
        _step(energy, 452.0, 20.0)
        + 0.3 * _step(energy, 686.0, 14.0)
        + 0.15 * _step(energy, 812.0, 14.0)
    )


def component_spectra(
    energy: FloatArray,
    exponent: float,
    bismuth: float,
    oxygen: float,
    iron: float,
    kinds: tuple[FineStructure, ...],
    margin: float,
) -> CubicSpline:
    """Return every spectrum a pixel is mixed from, as one interpolant over the energy loss.

    Called with energies of shape ``(channels,)`` it gives ``(channels, 2, 2 + 2 * kinds)``. The
    middle axis is the order of plural scattering: 0 is the single scattering, 1 the same
    convolved with one plasmon loss. Last axis: background, Bi N, then O K of each kind, then
    Fe L2,3 (and Mn L2,3) of each kind.

    Parameters
    ----------
    energy
        Energy axis in eV, shape ``(channels,)``; the background is 1 at its first channel.
    exponent
        The power law's exponent.
    bismuth, oxygen, iron
        Height of the Bi N4,5 step, the O K step and the Fe L3 maximum over the background at
        440, 531 and 713 eV.
    kinds
        Fine structure of each kind of domain.
    margin
        How far beyond the axis, in eV, the interpolant must reach.
    """
    spacing = min(float(energy[1] - energy[0]), 0.3) / 2
    first = max(energy[0] - margin - _MARGIN, energy[0] / 4)
    fine = np.arange(first, energy[-1] + margin + 2 * spacing, spacing)

    def above_background(height: float, onset: float, edge: FloatArray) -> FloatArray:
        at_onset = power_law(np.array(onset), exponent, energy[0])
        # The continuum falls off like the background once an edge is behind.
        decay = np.minimum((fine / onset) ** -exponent, 1.0)
        return height * float(at_onset) * edge * decay

    single = [
        power_law(fine, exponent, energy[0]),
        above_background(bismuth, 440.0, bi_n(fine)),
        *(above_background(oxygen, 531.0, o_k(fine, kind)) for kind in kinds),
        *(
            above_background(kind.iron * iron, 713.0, fe_l23(fine, kind))
            + above_background(kind.manganese * iron, 641.5, mn_l23(fine))
            for kind in kinds
        ),
    ]
    orders = np.stack([single, [_plasmon_loss(fine, spectrum) for spectrum in single]])
    return CubicSpline(fine, np.moveaxis(orders, -1, 0), axis=0)


def _plasmon_loss(energy: FloatArray, spectrum: FloatArray) -> FloatArray:
    """Return the spectrum of the electrons that lost one plasmon more."""
    spacing = energy[1] - energy[0]
    loss = np.arange(0.0, _MARGIN, spacing)
    kernel = _lorentzian(loss, _PLASMON_ENERGY, _PLASMON_WIDTH) * loss
    kernel /= kernel.sum()
    # Below the axis the spectrum goes on at its first value, so that no false edge arises there.
    padded = np.pad(spectrum, (loss.size - 1, 0), mode="edge")
    return fftconvolve(padded, kernel, mode="valid")


def _lorentzian(energy: FloatArray, centre: float, width: float) -> FloatArray:
    """Return a Lorentzian of height 1 and full width at half maximum ``width``."""
    return 1 / (1 + (2 * (energy - centre) / width) ** 2)


def _step(energy: FloatArray, onset: float, width: float) -> FloatArray:
    """Return an arctangent step from 0 to 1, ``width`` eV wide."""
    return 0.5 + np.arctan(2 * (energy - onset) / width) / np.pi
