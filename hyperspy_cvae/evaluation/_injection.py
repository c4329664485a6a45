"""What is injected into recorded spectra: shifts by whole channels, peaks and edges."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Kind = Literal["shift", "peak", "edge"]

_FWHM = 2 * np.sqrt(2 * np.log(2))  # of a Gaussian, in standard deviations


class Injection(Protocol):
    """An anomaly of any size, to be made of recorded spectra."""

    def __call__(
        self,
        spectra: NDArray[np.float32],
        expected: NDArray[np.float32],
        size: float,
        random: np.random.Generator,
    ) -> NDArray[np.float32]:
        """Return anomalous spectra of recorded and of expected ones, ``(pixels, energy)``."""
        ...


@dataclass(frozen=True)
class Shift:
    """All structure lies higher by ``size`` eV, rounded to whole channels.

    A fraction of a channel would smooth the noise, which a detector can see.

    Parameters
    ----------
    channels
        Boolean ``(energy,)``: counts are moved between the first and the last one.
    dispersion
        Energy per channel in eV.
    """

    channels: NDArray[np.bool_]
    dispersion: float

    def __call__(
        self,
        spectra: NDArray[np.float32],
        expected: NDArray[np.float32],
        size: float,
        random: np.random.Generator,
    ) -> NDArray[np.float32]:
        return shifted(spectra, self.channels, round(size / self.dispersion))


@dataclass(frozen=True)
class Addition:
    r"""Electrons that come on top, with their noise.

    Counts grow by :math:`g N` with :math:`N` from a Poisson distribution of mean :math:`s r_0 p_e /
    g`, for a size :math:`s`, the counts :math:`r_0` that are expected in one channel, and a profile
    :math:`p_e`. So they have the variance per count that the spectrum image has, :math:`g`; its
    read-out noise is in the recorded counts already. Where light spreads over neighbouring
    channels, its noise is correlated; that of what is added is not, which is a small part of all.

    Parameters
    ----------
    profile
        What is added, ``(energy,)``, relative to its height.
    at
        The channel whose counts the size is relative to.
    gain
        Variance per count, as :func:`hyperspy_cvae.detection.estimate_noise` tells it; 0 adds no
        noise.
    """

    profile: NDArray[np.floating]
    at: int
    gain: float

    def __call__(
        self,
        spectra: NDArray[np.float32],
        expected: NDArray[np.float32],
        size: float,
        random: np.random.Generator,
    ) -> NDArray[np.float32]:
        added = size * np.maximum(expected[:, self.at, np.newaxis], 0) * self.profile
        if self.gain > 0:
            added = self.gain * random.poisson(added / self.gain)
        return spectra + added.astype(np.float32)


def shifted(
    spectra: NDArray[np.float32], channels: NDArray[np.bool_], shift: int
) -> NDArray[np.float32]:
    """Return recorded spectra whose counts are moved to higher energies, noise and all.

    Those at the low end of the range stay.

    Parameters
    ----------
    spectra
        Counts ``(pixels, energy)``.
    channels
        Boolean ``(energy,)``: the range goes from the first to the last one.
    shift
        By how many channels, less than there are.

    Examples
    --------
    >>> shifted(np.array([[1, 2, 3, 4, 5, 6]]), np.array([0, 1, 1, 1, 1, 0], bool), 1)
    array([[1, 2, 2, 3, 4, 6]])
    """
    first, last = np.flatnonzero(channels)[[0, -1]]
    moved = spectra.copy()
    moved[:, first + shift : last + 1] = spectra[:, first : last + 1 - shift]
    return moved


def peak_profile(channels: int, centre: int, width: float) -> NDArray[np.floating]:
    """Return a Gaussian peak of height 1, its full width at half maximum in channels.

    Examples
    --------
    >>> peak_profile(5, centre=2, width=2.0)
    array([0.0625, 0.5   , 1.    , 0.5   , 0.0625])
    """
    return np.exp(-0.5 * np.square((np.arange(channels) - centre) * _FWHM / width))


def edge_profile(channels: int, onset: int) -> NDArray[np.floating]:
    """Return a step of height 1 that begins in a channel and stays.

    Examples
    --------
    >>> edge_profile(5, onset=2)
    array([0., 0., 1., 1., 1.])
    """
    return (np.arange(channels) >= onset).astype(float)
