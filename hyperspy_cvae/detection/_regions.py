"""Regions of a mask: how sure each is, and which energies make it so."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, label
from scipy.signal import find_peaks

from hyperspy_cvae.blocks import Cube, spectra_at
from hyperspy_cvae.detection._automatic import bulk_p_values
from hyperspy_cvae.detection._misfit import fitted_noise, some_spectra, whitened
from hyperspy_cvae.detection._scores import Score, energy_width
from hyperspy_cvae.sampling import some_of

_FEWEST_SIGMAS = 4.0
_FEWEST_OUTSIDE, _ENOUGH_OUTSIDE = 20, 4000  # pixels to know a standard deviation
_CONTAMINATED = 0.05  # of the pixels: more are part of the tail that p-values are told from
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
        Probability that the bulk gets as low anywhere in such a scan. All pixels of the scan are
        allowed for. NaN where that cannot be told, as where more than 5 % of them are anomalous.
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
    """

    pixels: NDArray[np.bool_]
    score: float
    p_value: float
    channels: tuple[int, ...]
    change: tuple[float, ...]
    significance: tuple[float, ...]
    error: NDArray[np.float64]


def describe_regions(
    mask: NDArray[np.bool_],
    scores: NDArray[np.float64],
    score: Score,
    measured: Cube,
    expected: Cube,
    dispersion: float,
    judged: NDArray[np.bool_],
) -> list[Region]:
    r"""Describe the connected regions of a mask, the lowest score first.

    Residuals in units of the noise are averaged over a region, as they are and smoothed over
    1.5 eV. Their standard error is told by the pixels outside, or 4000 of them: the standard
    deviation of each channel over them, by :math:`\sqrt{N}` for a region of :math:`N` pixels. So
    nothing is assumed of the noise, nor of its correlation between channels.

    Parameters
    ----------
    mask
        Anomalous pixels, ``(rows, columns)``; diagonal neighbours are in one region.
    scores
        The score of every pixel, of the same shape.
    score
        Which one it is.
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
    >>> from hyperspy_cvae.detection import score_spectra
    >>> judged = np.ones((40, 40), bool)
    >>> scores = score_spectra(measured, expected, "combined", 0.5)
    >>> (region,) = describe_regions(mask, scores, "combined", measured, expected, 0.5, judged)
    >>> 20 <= region.channels[0] <= 25, region.p_value < 0.01
    (True, True)
    """
    labels, count = label(mask, np.ones((3, 3)))
    if not count:
        return []
    width = energy_width(dispersion, measured.shape[2])
    outside = some_of(judged & ~mask, _ENOUGH_OUTSIDE)
    noise = fitted_noise(*some_spectra(judged, measured, expected))
    residual = whitened(spectra_at(measured, outside), spectra_at(expected, outside), noise)
    known = len(residual) >= _FEWEST_OUTSIDE
    usual, usual_smooth = (
        each.std(0) + _TINY if known else np.full(each.shape[1], np.nan)
        for each in (residual, gaussian_filter1d(residual, width, axis=1))
    )
    p_values = bulk_p_values(scores, score)
    if np.count_nonzero(mask) > _CONTAMINATED * np.count_nonzero(judged):
        p_values[...] = np.nan
    found = []
    for number in range(1, count + 1):
        pixels = labels == number
        root = np.sqrt(np.count_nonzero(pixels))
        found_counts, found_bulk = (spectra_at(each, pixels) for each in (measured, expected))
        residual = whitened(found_counts, found_bulk, noise).mean(0)
        sigmas = np.nan_to_num(gaussian_filter1d(residual, width) / usual_smooth * root)
        peaks, _ = find_peaks(
            np.pad(np.abs(sigmas), 1),
            height=max(_FEWEST_SIGMAS, 0.3 * np.abs(sigmas).max()),
            distance=max(1, round(2 * width)),
        )
        channels = sorted(peaks - 1, key=lambda channel: -abs(sigmas[channel]))[:_MOST_ENERGIES]
        counts, bulk_counts = found_counts.mean(0), found_bulk.mean(0)
        bulk_counts = bulk_counts * counts.sum() / max(bulk_counts.sum(), _TINY)
        change = gaussian_filter1d(counts, width) / np.maximum(
            gaussian_filter1d(bulk_counts, width), _TINY
        )
        found.append(
            Region(
                pixels=pixels,
                score=float(scores[pixels].min()),
                p_value=float(p_values[pixels].min()),
                channels=tuple(int(each) for each in channels),
                change=tuple(float(change[each]) - 1 for each in channels),
                significance=tuple(float(sigmas[each]) for each in channels),
                error=np.sqrt(noise.variance(found_bulk).mean(0)) * usual / root,
            )
        )
    return sorted(found, key=lambda region: region.score)
