"""Rare bulk: what a reconstruction hardly knows, or the rest of the spectrum does."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter1d, label, minimum

from hyperspy_cvae.blocks import Cube, kept, spectra_at, sums
from hyperspy_cvae.crossband import DARKEST, CrossBand, Regression
from hyperspy_cvae.detection._depth import NO_LOWER
from hyperspy_cvae.detection._misfit import fitted_noise, some_spectra, whitened
from hyperspy_cvae.detection._threshold import Threshold
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
# A p-value. Surer anomalies, between bulk that varies as much, are followed in part and so change.
SURE = 0.0027
_MOST_CHANGE, _MOST_CHANGE_IF_NO_LOWER = 0.1, 0.05  # of the residual


def without_rare_bulk(
    mask: NDArray[np.bool_],
    threshold: Threshold,
    p_values: NDArray[np.floating],
    cube: Cube,
    expected: Cube,
    channels: NDArray[np.bool_],
    judged: NDArray[np.bool_],
    turned: Callable[[], Cube] | None = None,
) -> tuple[NDArray[np.bool_], Threshold]:
    r"""Leave out of a mask the regions that are bulk too rare to be learnt.

    What a reconstruction does not fit may be a domain or a wall of a kind that occurs once. There
    are two ways to know it.

    A network puts bulk that it knows in the place of an anomaly, and does so however the scan lies.
    Rare bulk it knows a little, and what it makes of it is arbitrary in part. So a region is rare
    bulk if the mean of its reconstruction changes, when the scan is turned by half a turn, by more
    than a tenth of the mean of its residual, or a twentieth if its p-value is above .05, so that it
    is hardly lower than bulk gets; both are norms over energy, in units of the noise. Regions whose
    p-value is .0027 or less are not asked: among them are anomalies that a network follows in part,
    too. Nor are those that were found by Otsu's threshold, for then anomalies are the tail that
    p-values are told from.

    And bulk's energies belong together: what it is like in one edge can be told from the others, by
    the pixels that are alike there. Of an anomaly it cannot.

    For each other region the band of energies is hidden where its residual is largest, and expected
    from the others by the pixels that are not within 3 pixels of any region: by neighbours
    (:class:`hyperspy_cvae.crossband.CrossBand`), which at the rim of what is usual say too little,
    and by a regression over the whole scan (:class:`hyperspy_cvae.crossband.Regression`), which
    knows less and goes on beyond it, at times too far. What lies between both is bulk. So it is for
    60 patches of bulk of the same size. The misfit of a region or a patch is

    .. math::

       D^2 = \min_{0 \le t \le 1} \sum_e \frac{(\bar x_e - (1 - t) \bar n_e - t \bar r_e)^2}
       {(\bar n_e + \bar r_e) / 2} \Big/ \sum_e \bar x_e

    with the means of what was measured, :math:`\bar x_e`, and of what is expected by neighbours,
    :math:`\bar n_e`, and by regression, :math:`\bar r_e`. A region is explained if its :math:`D` is
    at most 1.4 times what a tenth of the patches exceed. It is not if hardly any pixel is like it
    in the other energies, or if there are none.

    Parameters
    ----------
    mask
        Anomalous pixels, ``(rows, columns)``; diagonal neighbours are in one region.
    threshold
        The threshold they were found by.
    p_values
        How probable it is that the bulk gets as low anywhere in the scan, ``(rows, columns)``; see
        :func:`hyperspy_cvae.detection.bulk_p_values`.
    cube
        Counts ``(rows, columns, energy)``, finite, in all energies there are.
    expected
        Their reconstruction in the energies that were compared.
    channels
        Which ones were compared, boolean ``(energy,)``.
    judged
        Pixels that were judged, ``(rows, columns)``.
    turned
        Makes the reconstruction of the scan turned by half a turn, turned back, in the same
        energies; called if it is needed. None if no network makes it.

    Returns
    -------
    mask : numpy.ndarray
        Without them.
    threshold : Threshold
        The same, with a sentence on what was left out.
    """
    labels, count = label(mask, np.ones((3, 3)))
    if not count:
        return mask, threshold
    width = fine_width(cube.shape[2])
    fewer = cube.shape[2] // width
    coarse = kept(binned_blocks(cube, width))
    smooth = kept(smoothed_blocks(coarse, _RADIUS))
    compared = binned(channels.astype(np.float32), width) > width / 2
    bands = energy_bands(fewer) > 0
    numbers = np.arange(1, count + 1)
    lowest = minimum(p_values, labels, numbers)
    unsure = numbers[lowest > SURE]
    other = expected
    if turned is not None and unsure.size and threshold.method == "auto":
        other = turned()
    residual, change = _deviations(cube, expected, other, channels, width, judged, mask)
    faintest = DARKEST * np.abs(sums(coarse, np.ones(fewer, bool))[judged]).mean()
    checks: dict[int, _Check] = {}
    unsettled, explained = [], []
    for number, p_value in zip(numbers, lowest, strict=True):
        region = labels == number
        missed, changed = (each[region[mask]].mean(0) for each in (residual, change))
        most = _MOST_CHANGE if p_value <= NO_LOWER else _MOST_CHANGE_IF_NO_LOWER
        if p_value > SURE and np.linalg.norm(changed) > most * np.linalg.norm(missed):
            unsettled.append(number)
            continue
        band = int(np.argmax(bands @ np.square(missed)))
        if band not in checks:
            known = judged & (sums(coarse, ~bands[band]) > faintest)
            checks[band] = _Check(coarse, smooth, bands[band], compared, known, mask)
        if checks[band].explains(region):
            explained.append(number)
    rare = np.isin(labels, unsettled + explained)
    if not rare.any():
        return mask, threshold
    left, regions, pixels = mask & ~rare, len(unsettled + explained), np.count_nonzero(rare)
    whys = [
        f"{what} in {len(where)}"
        for what, where in (
            ("the rest of the spectrum tells what is measured", explained),
            ("what is expected changes when the scan is turned", unsettled),
        )
        if where
    ]
    why = " and ".join(whys)
    if left.any():
        reason = (
            f"{threshold.reason} Of the regions found {regions} ({pixels} pixels) "
            f"{'is' if regions == 1 else 'are'} left out as bulk that is rare: {why}."
        )
        return left, replace(threshold, reason=reason)
    reason = (
        f"All that was found is {regions} {'region' if regions == 1 else 'regions'} of rare bulk "
        f"({pixels} pixels): {why}; so nothing is called anomalous."
    )
    return left, replace(threshold, unimodal=True, reason=reason, label="no anomaly: rare bulk")


def _deviations(
    cube: Cube,
    expected: Cube,
    other: Cube,
    channels: NDArray[np.bool_],
    width: int,
    judged: NDArray[np.bool_],
    mask: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Return how far what was measured, and another reconstruction, are from what is expected.

    In units of the noise, ``(2, pixels of the mask, coarse channels)``; 0 where none was compared.
    """
    coarse = np.flatnonzero(channels) // width
    whole = coarse < channels.size // width
    places, begins = np.unique(coarse[whole], return_index=True)
    deviations = np.zeros((2, np.count_nonzero(mask), channels.size // width), np.float32)
    if not places.size:
        return deviations
    measured = channels_of(cube, channels)

    def summed(spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.add.reduceat(spectra[:, : whole.sum()], begins, axis=1)

    noise = fitted_noise(*map(summed, some_spectra(judged, measured, expected)))
    bulk = summed(spectra_at(expected, mask))
    for deviation, each in zip(deviations, (measured, other), strict=True):
        deviation[:, places] = whitened(summed(spectra_at(each, mask)), bulk, noise)
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
