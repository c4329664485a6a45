"""Regions of a mask: how sure each is, and which energies make it so."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, label
from scipy.signal import find_peaks

from hyperspy_cvae.blocks import Cube, spectra_at
from hyperspy_cvae.detection._kinds import kinds_of
from hyperspy_cvae.detection._misfit import fitted_noise, some_spectra, whitened
from hyperspy_cvae.detection._noise import Noise
from hyperspy_cvae.detection._patches import (
    BulkDeviations,
    patch_means,
    patch_noise,
    patch_residuals,
)
from hyperspy_cvae.detection._scores import energy_width
from hyperspy_cvae.sampling import some_of

_FEWEST_SIGMAS = 4.0
_FEWEST_OUTSIDE, _ENOUGH_OUTSIDE = 20, 4000  # pixels to know a standard deviation
_MOST_ENERGIES = 3
_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Region:
    """Neighbouring anomalous pixels.

    Attributes
    ----------
    pixels
        Where it is, boolean ``(rows, columns)``.
    score
        Its lowest score.
    p_value
        Probability that bulk gets as low anywhere in such a scan.
    kind
        A letter that regions have in common whose spectra differ in the same way; see
        :func:`hyperspy_cvae.detection.kinds_of`.
    channels
        Up to three channels where the mean spectrum differs most from the reconstructed, the most
        significant first; none if it does nowhere by 4 standard errors.
    change
        Relative change of the counts at each of them, smoothed over 1.5 eV.
    significance
        The same change in standard errors.
    error
        Standard error of the mean measured spectrum, in counts, ``(energy,)``; NaN if fewer than
        20 pixels lie outside.
    deviations
        How far the mean of such a region of bulk would be off by itself: by the noise, as it is
        correlated between channels, and as far as the reconstruction is off. None if fewer than 20
        pixels lie outside.
    """

    pixels: NDArray[np.bool_]
    score: float
    p_value: float
    kind: str
    channels: tuple[int, ...]
    change: tuple[float, ...]
    significance: tuple[float, ...]
    error: NDArray[np.float64]
    deviations: BulkDeviations | None


@dataclass(frozen=True)
class ResidualScale:
    """What residuals of the bulk are like, to compare the mean of some pixels with.

    Residuals in units of the noise have a standard deviation in each channel, told by pixels that
    are no anomalies. So nothing is assumed of the noise, nor of its correlation between channels.

    Attributes
    ----------
    noise
        The noise.
    width
        Channels over which residuals are smoothed: 1.5 eV.
    deviation
        Standard deviation of residuals in units of the noise, ``(energy,)``; NaN if fewer than 20
        pixels tell it.
    smooth_deviation
        The same of smoothed residuals.

    Examples
    --------
    >>> expected = np.full((40, 40, 30), 100, np.float32)
    >>> measured = np.random.default_rng(0).poisson(expected).astype(np.float32)
    >>> everywhere, nowhere = np.ones((40, 40), bool), np.zeros((40, 40), bool)
    >>> scale = ResidualScale.of(measured, expected, 0.5, everywhere, nowhere)
    >>> round(float(scale.error(expected[0, :25]).mean()), 1)  # sqrt(100 / 25)
    2.0
    """

    noise: Noise
    width: float
    deviation: NDArray[np.float64]
    smooth_deviation: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        measured: Cube,
        expected: Cube,
        dispersion: float,
        judged: NDArray[np.bool_],
        mask: NDArray[np.bool_],
    ) -> "ResidualScale":
        """Tell it by pixels outside a mask, or 4000 of them.

        Parameters
        ----------
        measured
            Counts in the energies compared, ``(rows, columns, energy)``, finite.
        expected
            Their reconstruction, of the same shape.
        dispersion
            Energy per channel in eV.
        judged
            Pixels that were judged, ``(rows, columns)``.
        mask
            Anomalous pixels, of the same shape.
        """
        width = energy_width(dispersion, measured.shape[2])
        noise = fitted_noise(*some_spectra(judged, measured, expected))
        some = some_of(judged & ~mask, _ENOUGH_OUTSIDE)
        residual = whitened(spectra_at(measured, some), spectra_at(expected, some), noise)
        known = len(residual) >= _FEWEST_OUTSIDE
        deviations = (
            each.std(0) + _TINY if known else np.full(each.shape[1], np.nan)
            for each in (residual, gaussian_filter1d(residual, width, axis=1))
        )
        return cls(noise, width, *deviations)

    def error(self, expected: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the standard error of the mean of pixels ``(pixels, energy)``, in counts."""
        variance = self.noise.variance(expected).mean(0)
        error: NDArray[np.float64] = np.sqrt(variance / len(expected)) * self.deviation
        return error

    def sigmas(
        self, measured: NDArray[np.floating], expected: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return the smoothed mean residual of pixels ``(pixels, energy)`` in standard errors."""
        residual = gaussian_filter1d(whitened(measured, expected, self.noise).mean(0), self.width)
        return np.nan_to_num(residual / self.smooth_deviation * np.sqrt(len(measured)))


class _Means(NamedTuple):
    """Of the spectra of a region, which are not kept."""

    measured: NDArray[np.float32]
    expected: NDArray[np.float32]
    sigmas: NDArray[np.float64]
    error: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        scale: ResidualScale,
        measured: NDArray[np.float32],
        expected: NDArray[np.float32],
    ) -> "_Means":
        sigmas, error = scale.sigmas(measured, expected), scale.error(expected)
        return cls(measured.mean(0), expected.mean(0), sigmas, error)


def without_small(mask: NDArray[np.bool_], fewest: int) -> NDArray[np.bool_]:
    """Leave out of a mask the regions of fewer pixels; diagonal neighbours are in one region.

    Examples
    --------
    >>> int(without_small(np.eye(5, 7, dtype=bool), 5).sum())
    5
    >>> int(without_small(np.eye(5, 7, dtype=bool), 6).sum())
    0
    """
    labels, _ = label(mask, np.ones((3, 3)))
    kept: NDArray[np.bool_] = mask & (np.bincount(labels.ravel()) >= fewest)[labels]
    return kept


def describe_regions(
    mask: NDArray[np.bool_],
    scores: NDArray[np.float64],
    p_values: NDArray[np.float64],
    measured: Cube,
    expected: Cube,
    dispersion: float,
    judged: NDArray[np.bool_],
) -> list[Region]:
    r"""Describe the connected regions of a mask, the lowest score first.

    Residuals are averaged over a region, as they are and smoothed over 1.5 eV. Their standard error
    is what pixels outside deviate by, over :math:`\sqrt{N}` for a region of :math:`N` pixels: see
    :class:`ResidualScale`.

    Parameters
    ----------
    mask
        Anomalous pixels, ``(rows, columns)``; diagonal neighbours are in one region.
    scores
        The score of every pixel, of the same shape.
    p_values
        How probable it is that bulk goes as low, of the same shape; see :class:`Found`.
    measured
        Counts in the energies compared, ``(rows, columns, energy)``, finite.
    expected
        Their reconstruction, of the same shape.
    dispersion
        Energy per channel in eV.
    judged
        Pixels that were judged.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> expected = np.full((40, 40, 40), 100, np.float32)
    >>> measured = rng.poisson(expected).astype(np.float32)
    >>> measured[5:8, 9:12, 20:26] += 40
    >>> mask = np.zeros((40, 40), bool)
    >>> mask[5:8, 9:12] = True
    >>> from hyperspy_cvae.detection import find_anomalies
    >>> judged = np.ones((40, 40), bool)
    >>> found = find_anomalies(measured, expected, 1, judged)
    >>> scores = found.scores, found.p_values
    >>> (region,) = describe_regions(mask, *scores, measured, expected, 0.5, judged)
    >>> 20 <= region.channels[0] <= 25, region.p_value < 0.01
    (True, True)
    """
    labels, count = label(mask, np.ones((3, 3)))
    if not count:
        return []
    scale = ResidualScale.of(measured, expected, dispersion, judged, mask)
    sizes = np.bincount(labels.ravel())[1:]
    deviations = _deviations(sizes, scale, judged & ~mask, measured, expected)
    regions = [labels == number for number in range(1, count + 1)]
    means = [
        _Means.of(scale, *(spectra_at(each, pixels) for each in (measured, expected)))
        for pixels in regions
    ]
    all_sigmas = np.stack([each.sigmas for each in means])
    kinds = kinds_of(
        all_sigmas, sizes, all_sigmas.shape[1] / (2 * np.sqrt(np.pi) * scale.width + 1)
    )
    found = []
    for index, (pixels, of_region) in enumerate(zip(regions, means, strict=True)):
        sigmas = of_region.sigmas
        peaks, _ = find_peaks(
            np.pad(np.abs(sigmas), 1),
            height=max(_FEWEST_SIGMAS, 0.3 * np.abs(sigmas).max()),
            distance=max(1, round(2 * scale.width)),
        )
        channels = sorted(peaks - 1, key=lambda channel: -abs(sigmas[channel]))[:_MOST_ENERGIES]
        counts, bulk_counts = of_region.measured, of_region.expected
        bulk_counts = bulk_counts * counts.sum() / max(bulk_counts.sum(), _TINY)
        change = gaussian_filter1d(counts, scale.width) / np.maximum(
            gaussian_filter1d(bulk_counts, scale.width), _TINY
        )
        found.append(
            Region(
                pixels=pixels,
                score=float(scores[pixels].min()),
                p_value=float(p_values[pixels].min()),
                kind=kinds[index],
                channels=tuple(int(each) for each in channels),
                change=tuple(float(change[each]) - 1 for each in channels),
                significance=tuple(float(sigmas[each]) for each in channels),
                error=of_region.error,
                deviations=deviations.get(int(sizes[index])),
            )
        )
    return sorted(found, key=lambda region: region.score)


def _deviations(
    sizes: NDArray[np.integer],
    scale: ResidualScale,
    bulk: NDArray[np.bool_],
    measured: Cube,
    expected: Cube,
) -> dict[int, BulkDeviations]:
    """Return how far regions of these sizes would be off by themselves, if that can be told."""
    if not np.isfinite(scale.deviation).all():
        return {}
    patches = patch_residuals(int(sizes.max()), bulk, measured, expected, scale.noise)
    patches /= scale.deviation.astype(np.float32)
    noise = patch_noise(patches)
    deviations = {}
    for size in map(int, np.unique(sizes)):
        means, pixels = patch_means(patches, size)
        deviations[size] = BulkDeviations(means, noise, pixels, size)
    return deviations
