"""The scores to choose from: how normal every spectrum is beside its reconstruction."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.special import logsumexp
from scipy.stats import median_abs_deviation

from hyperspy_cvae.blocks import Cube, blockwise, kept, to_map
from hyperspy_cvae.detection._local import with_local_misfit
from hyperspy_cvae.detection._misfit import (
    RADIUS,
    misfit,
    noise_of,
    smoothed_pearson,
    some_spectra,
    whitened_residual,
)
from hyperspy_cvae.detection._pearson import pearson_correlation
from hyperspy_cvae.shards import binned
from hyperspy_cvae.smoothing import noise_gain

Score = Literal["pcc", "smoothed", "residual", "combined"]

QUANTITIES: dict[Score, str] = {
    "pcc": "PCC",
    "smoothed": "Smoothed PCC",
    "residual": "Residual score",
    "combined": "Combined score",
}
"""What the map of each score is called."""

# Widths of the Gaussian over energy in eV: noise is smoothed away, fine structure is not. They are
# for ranges of a core-loss edge; in narrower ones, as of vibrations, structure is finer.
_PCC_WIDTH = 0.75
_FINE_WIDTH = 1.5
# Pixels and eV over which residuals are smoothed: for anomalies that are small or have sharp rims,
# and for those that are faint.
_SCALES = ((1.5, _FINE_WIDTH), (2.5, 2 * _FINE_WIDTH))
_EDGE_RANGE = 37.5
_BIN = 1.0  # eV in which counts are summed beforehand: finer, nothing is told after the smoothing
_SUSPICIOUS = 3.0  # robust standard deviations of the score
_AROUND = 2  # pixels
_TINY = float(np.finfo(np.float32).tiny)


def score_spectra(
    measured: Cube,
    expected: Cube,
    score: Score,
    dispersion: float,
    judged: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    r"""Return how normal every spectrum is, higher for more normal, ``(rows, columns)``.

    For all but ``"pcc"`` counts are summed over 1 eV beforehand, over less in narrow ranges (see
    :func:`energy_bin`); the channels left over at the high end do not count.

    ``"pcc"``
        The Pearson correlation of a spectrum with its reconstruction, the paper's
        (see :func:`pearson_correlation`).
    ``"smoothed"``
        The same after smoothing both over 1 pixel and 0.75 eV (a fiftieth of the energy range if
        that is less): noise counts less, and a small shift of a strong edge shows.
    ``"residual"``
        Less the mean square of the residual in units of its noise, smoothed over 1.5 pixels and
        1.5 eV (a twenty-fifth of the range): a faint edge on a strong background shows.
    ``"combined"``
        All of them at once. Misfits :math:`T_k` of three kinds are brought to one scale, of median
        0 and unit deviation over the scan, by the cube root that makes chi-squared distributed
        numbers nearly normal (Wilson and Hilferty), and joined by a smooth maximum:

        .. math:: -\log \sum_k e^{u_k}, \qquad
           u_k = \frac{T_k^{1/3} - \mathrm{median}}{1.4826\,\mathrm{MAD}}

        The misfits are 1 - PCC after smoothing, over what the noise alone would give where that is
        more than in the median spectrum, for thin places and vacuum are no anomalies by
        themselves; and the mean square of the residual smoothed over 1.5 pixels and 1.5 eV, and
        over 2.5 pixels and 3 eV (a twelfth of the range). All of this twice: the second time with
        what the reconstruction misses over the neighbourhood added to it (see
        :func:`with_local_misfit`), told by pixels that are less than 3 deviations deep.

    Parameters
    ----------
    measured
        Counts in the energies to compare, ``(rows, columns, energy)``, finite.
    expected
        Their reconstruction, of the same shape.
    score
        Which one.
    dispersion
        Energy per channel in eV.
    judged
        Pixels to judge, ``(rows, columns)``; the others count nowhere and get NaN. All if not
        given.

    Returns
    -------
    numpy.ndarray
        The score of every pixel; NaN where it is not judged.

    Raises
    ------
    ValueError
        If the score is unknown, or the shapes differ.

    References
    ----------
    E. B. Wilson and M. M. Hilferty, PNAS 17 (1931) 684.

    Examples
    --------
    A white line that lies 1 eV higher in 9 of 400 pixels:

    >>> energy = np.arange(700, 720, 0.5)
    >>> def line(maximum):
    ...     return np.float32(50 + 50 * np.exp(-((energy - maximum) ** 2)))
    >>> expected = np.broadcast_to(line(710), (20, 20, 40))
    >>> electrons = expected.copy()
    >>> electrons[5:8, 9:12] = line(711)
    >>> measured = np.random.default_rng(0).poisson(electrons).astype(np.float32)
    >>> scores = score_spectra(measured, expected, "combined", dispersion=0.5)
    >>> bool(scores[5:8, 9:12].max() < np.quantile(scores, 0.05))
    True
    """
    check_score(score)
    if measured.shape != expected.shape:
        raise ValueError(
            f"expected has the shape {expected.shape}, but measured has {measured.shape}: give "
            "the reconstruction of the same pixels and channels."
        )
    if judged is None:
        judged = np.ones(measured.shape[:2], bool)
    if not judged.any():
        return np.full(judged.shape, np.nan)
    if score == "pcc":
        return np.where(judged, to_map(pearson_correlation, measured, expected), np.nan)
    together = energy_bin(dispersion, measured.shape[2])
    channels_per_ev = energy_width(dispersion, measured.shape[2]) / _FINE_WIDTH / together

    def counted(block: NDArray[np.float32], judged: NDArray[np.bool_]) -> NDArray[np.float32]:
        # Spectra of nothing add nothing where neighbours are smoothed over.
        return np.where(judged, binned(block.astype(np.float32, copy=False), together), 0)

    channels = measured.shape[2] // together
    measured, expected = (
        kept(blockwise(counted, each, judged, channels=channels)) for each in (measured, expected)
    )
    if score == "smoothed":
        scores = smoothed_pearson(measured, expected, _PCC_WIDTH * channels_per_ev)
    elif score == "residual":
        residual = whitened_residual(measured, expected, judged)
        radius, width = _SCALES[0]
        scores = -misfit(residual, radius, width * channels_per_ev, judged)
    else:
        scores = _combined(measured, expected, channels_per_ev, judged)
    return np.where(judged, scores, np.nan)


def energy_width(dispersion: float, channels: int) -> float:
    """Return the standard deviation in channels of the Gaussian that spares fine structure."""
    return _FINE_WIDTH * min(1.0, dispersion * channels / _EDGE_RANGE) / dispersion


def energy_bin(dispersion: float, channels: int) -> int:
    """Return how many channels are summed up before scoring: 1 eV, less in narrow ranges."""
    # Files hold dispersions in single precision, in which 0.1 eV is a little more.
    return max(1, int(energy_width(dispersion, channels) / _FINE_WIDTH * _BIN + 1e-3))


def check_score(score: str) -> None:
    """Raise a ValueError unless the score is one of those to choose from."""
    if score not in get_args(Score):
        raise ValueError(f"score is {score!r}: choose one of {', '.join(get_args(Score))}.")


def _combined(
    measured: Cube,
    expected: Cube,
    channels_per_ev: float,
    judged: NDArray[np.bool_],
) -> NDArray[np.float64]:
    scores = _joined(measured, expected, channels_per_ev, judged)
    suspicious = _standardised(-scores, judged) > _SUSPICIOUS
    suspicious = binary_dilation(suspicious, iterations=_AROUND)
    expected = kept(with_local_misfit(measured, expected, judged & ~suspicious))
    return _joined(measured, expected, channels_per_ev, judged)


def _joined(
    measured: Cube,
    expected: Cube,
    channels_per_ev: float,
    judged: NDArray[np.bool_],
) -> NDArray[np.float64]:
    correlation = smoothed_pearson(measured, expected, _PCC_WIDTH * channels_per_ev)
    residual = kept(whitened_residual(measured, expected, judged))
    misfits = [
        _beyond_noise(correlation, measured, expected, judged),
        *(misfit(residual, radius, width * channels_per_ev, judged) for radius, width in _SCALES),
    ]
    roots = [np.cbrt(np.nan_to_num(each)) for each in misfits]
    return -logsumexp([_standardised(root, judged) for root in roots], axis=0)


def _beyond_noise(
    correlation: NDArray[np.float64],
    measured: Cube,
    expected: Cube,
    judged: NDArray[np.bool_],
) -> NDArray[np.float64]:
    r"""Return 1 - PCC over what noise alone gives, where that is more than the median.

    With the variance :math:`s^2` of the noise and that of the expected spectrum over energy,
    :math:`S^2`, the correlation is :math:`1 / \sqrt{1 + k s^2 / S^2}`; :math:`k` says how much
    noise the smoothing leaves, which is more at the borders of the scan.
    """
    noise = noise_of(*some_spectra(judged, measured, expected))

    def over_structure(expected: NDArray[np.float32]) -> NDArray[np.float64]:
        structure = np.maximum(expected.var(-1, dtype=np.float64), _TINY)
        return noise.variance(expected).mean(-1) / structure

    ratio = to_map(over_structure, expected)
    ratio *= noise_gain(judged.shape, RADIUS) ** 2
    seen = judged & (correlation > 0) & (ratio > 0)
    left = np.median((correlation[seen] ** -2 - 1) / ratio[seen]) if seen.any() else 0.0
    by_noise = 1 - 1 / np.sqrt(1 + left * ratio)
    return (1 - correlation) / np.maximum(by_noise, max(np.median(by_noise[judged]), _TINY))


def _standardised(values: NDArray[np.float64], judged: NDArray[np.bool_]) -> NDArray[np.float64]:
    deviation = median_abs_deviation(values[judged], scale="normal")
    return (values - np.median(values[judged])) / max(deviation, _TINY)
