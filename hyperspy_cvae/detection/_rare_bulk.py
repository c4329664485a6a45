"""Rare bulk: what a network hardly reproduces, but the rest of the spectrum predicts."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter1d, label

from hyperspy_cvae.blocks import Cube, kept, spectra_at, sums
from hyperspy_cvae.crossband import DARKEST, CrossBand, Regression
from hyperspy_cvae.detection._misfit import fitted_noise, some_spectra, whitened
from hyperspy_cvae.shards import binned, binned_blocks, channels_of, energy_bands, fine_width
from hyperspy_cvae.smoothing import smoothed_blocks

_RADIUS = 1.5  # pixels
_WIDTH = 0.7  # channels as wide as fine structure
_MARGIN = 3  # pixels around a region that may be part of it
_PATCHES = 60
_LARGEST_PATCH = 6.0  # pixels
_QUANTILE, _TIMES = 0.9, 1.4
_FEWEST_PIXELS = 200
_LEAST_TRUST = 0.25


def without_rare_bulk(
    mask: NDArray[np.bool_],
    cube: Cube,
    expected: Cube,
    channels: NDArray[np.bool_],
    judged: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    r"""Leave out of a mask the regions that are bulk too rare to be learnt.

    What a network does not fit may be a domain or a wall of a kind that occurs once. But bulk's
    energies belong together: what it is like at one edge can be predicted from the others, by the
    pixels that are alike there. An anomaly cannot.

    For each region the band of energies is hidden where its residual is largest, and predicted from
    the others by the pixels that are not within 3 pixels of any region: by neighbours
    (:class:`hyperspy_cvae.crossband.CrossBand`), which at the rim of what is usual say too little,
    and by a regression over the whole scan (:class:`hyperspy_cvae.crossband.Regression`), which
    goes on beyond it, at times too far. What lies between both is bulk. So it is for 60 patches of
    bulk of the same size. The misfit of a region or a patch is

    .. math::

       D^2 = \min_{0 \le t \le 1} \sum_e \frac{(\bar x_e - (1 - t) \bar n_e - t \bar r_e)^2}
       {(\bar n_e + \bar r_e) / 2} \Big/ \sum_e \bar x_e

    with the means of what was measured, :math:`\bar x_e`, and of what is predicted by neighbours,
    :math:`\bar n_e`, and by regression, :math:`\bar r_e`. A region is rare bulk if its :math:`D` is
    at most 1.4 times what a tenth of the patches exceed. It is not if hardly any pixel is like it
    in the other energies, or if there are none.

    Parameters
    ----------
    mask
        Anomalous pixels, ``(rows, columns)``; diagonal neighbours are in one region.
    cube
        Counts ``(rows, columns, energy)``, finite, in all energies there are.
    expected
        Their reconstruction in the energies that were compared.
    channels
        Which ones were compared, boolean ``(energy,)``.
    judged
        Pixels that were judged, ``(rows, columns)``.

    Returns
    -------
    numpy.ndarray
        The mask without them.
    """
    labels, count = label(mask, np.ones((3, 3)))
    if not count:
        return mask
    width = fine_width(cube.shape[2])
    fewer = cube.shape[2] // width
    coarse = kept(binned_blocks(cube, width))
    smooth = kept(smoothed_blocks(coarse, _RADIUS))
    compared = binned(channels.astype(np.float32), width) > width / 2
    bands = energy_bands(fewer) > 0
    residual = _deviations(cube, expected, channels, width, judged, mask)
    faintest = DARKEST * np.abs(sums(coarse, np.ones(fewer, bool))[judged]).mean()
    checks: dict[int, _Check] = {}
    rare = []
    for number in range(1, count + 1):
        region = labels == number
        band = int(np.argmax(bands @ np.square(residual[region[mask]].mean(0))))
        if band not in checks:
            known = judged & (sums(coarse, ~bands[band]) > faintest)
            checks[band] = _Check(coarse, smooth, bands[band], compared, known, mask)
        if checks[band].explains(region):
            rare.append(number)
    left: NDArray[np.bool_] = mask & ~np.isin(labels, rare)
    return left


def _deviations(
    cube: Cube,
    expected: Cube,
    channels: NDArray[np.bool_],
    width: int,
    judged: NDArray[np.bool_],
    mask: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Return how far what was measured is from what is expected, in units of the noise.

    ``(pixels of the mask, coarse channels)``; 0 where none was compared.
    """
    coarse = np.flatnonzero(channels) // width
    whole = coarse < channels.size // width
    places, begins = np.unique(coarse[whole], return_index=True)
    deviations = np.zeros((np.count_nonzero(mask), channels.size // width), np.float32)
    if not places.size:
        return deviations
    measured = channels_of(cube, channels)

    def summed(spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.add.reduceat(spectra[:, : whole.sum()], begins, axis=1)

    noise = fitted_noise(*map(summed, some_spectra(judged, measured, expected)))
    found, bulk = (summed(spectra_at(each, mask)) for each in (measured, expected))
    deviations[:, places] = whitened(found, bulk, noise)
    return deviations


class _Check:
    """What patches of bulk deviate from what the rest of their spectra lets expect in a band."""

    def __init__(
        self,
        coarse: Cube,
        smooth: Cube,
        hidden: NDArray[np.bool_],
        compared: NDArray[np.bool_],
        known: NDArray[np.bool_],
        mask: NDArray[np.bool_],
    ) -> None:
        self.coarse = coarse
        self.hidden = hidden
        self.compared = compared[hidden]
        self.known = known
        # What is alike but anomalous itself, as the same particle elsewhere, is no witness.
        self.bulk = known & ~binary_dilation(mask, iterations=_MARGIN)
        self.smooth = smooth
        self.usual: dict[int, float] = {}

    def explains(self, region: NDArray[np.bool_]) -> bool:
        region = region & self.known
        others = not self.hidden.all() and self.compared.any()
        if not (others and region.any() and np.count_nonzero(self.bulk) >= _FEWEST_PIXELS):
            return False
        misfit, trust = self._misfit(region)
        if trust < _LEAST_TRUST:
            return False
        radius = np.clip(np.sqrt(np.count_nonzero(region) / np.pi), 1.5, _LARGEST_PATCH)
        return misfit <= _TIMES * self._usual(round(2 * radius))

    @cached_property
    def crossband(self) -> CrossBand:
        return CrossBand(self.coarse, self.smooth[..., ~self.hidden], self.hidden, self.bulk)

    @cached_property
    def regression(self) -> Regression:
        return Regression(self.smooth, _RADIUS, self.hidden, self.bulk)

    def _usual(self, width: int) -> float:
        if width not in self.usual:
            random = np.random.default_rng(0)
            centres = random.choice(np.argwhere(self.bulk), _PATCHES, replace=False)
            grid = np.indices(self.bulk.shape)
            found = []
            for centre in centres:
                near = np.hypot(*(grid - centre[:, None, None])) <= width / 2
                misfit, trust = self._misfit(near & self.bulk)
                if trust >= _LEAST_TRUST:
                    found.append(misfit)
            self.usual[width] = float(np.quantile(found, _QUANTILE)) if found else 0.0
        return self.usual[width]

    def _misfit(self, region: NDArray[np.bool_]) -> tuple[float, float]:
        """Return D, and how far the neighbours are trusted."""
        near = binary_dilation(region, iterations=_MARGIN)
        by_neighbours, trusted = self.crossband.expected(region, near)
        spectra = spectra_at(self.coarse, region)
        others = spectra[:, ~self.hidden].sum(1, keepdims=True)
        measured = spectra[:, self.hidden].mean(0)
        told = by_neighbours
        if self.regression.varies:  # a mean says nothing of a region
            told = self.regression.expected(spectra_at(self.smooth, region))
        nearby, afar = ((each * others).mean(0) for each in (by_neighbours, told))
        return distance(measured, nearby, afar, self.compared), float(trusted.mean())


def distance(
    measured: NDArray[np.floating],
    near: NDArray[np.floating],
    far: NDArray[np.floating],
    compared: NDArray[np.bool_],
) -> float:
    """Return how far a spectrum is from all that lies between two others, D.

    Parameters
    ----------
    measured, near, far
        Counts ``(energy,)``.
    compared
        Channels that count, boolean ``(energy,)``.
    """
    mean = (near + far) / 2
    least = max(1e-3 * float(np.abs(mean).mean()), float(np.finfo(np.float32).tiny))
    noise = np.sqrt(np.maximum(mean, least))
    misfit, span = (
        gaussian_filter1d(each / noise, _WIDTH)[compared] for each in (measured - near, far - near)
    )
    share = np.clip(misfit @ span / max(float(span @ span), least), 0, 1)
    return float(np.linalg.norm(misfit - share * span) / np.sqrt(max(float(measured.sum()), least)))
