"""Pearson correlation of every spectrum with its reconstruction."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Float64 copies of one block of spectra: small beside the spectrum image, large beside Python's
# cost per block.
_BLOCK_BYTES = 8 * 2**20
_FEWEST_CHANNELS = 3


def pearson_correlation(measured: NDArray[Any], reconstructed: NDArray[Any]) -> NDArray[np.float64]:
    r"""Return the Pearson correlation coefficient (PCC) of each spectrum and its reconstruction.

    For a measured spectrum :math:`x` and its reconstruction :math:`r`, with means
    :math:`\bar x`, :math:`\bar r` over energy (Sultanov et al., Small 2025, eq. 4),

    .. math::

        \mathrm{PCC} = \frac{\sum_e (x_e - \bar x)(r_e - \bar r)}
        {\sqrt{\sum_e (x_e - \bar x)^2 \sum_e (r_e - \bar r)^2}}

    It compares shapes only: neither the scale nor the offset of a spectrum matters. Low is
    anomalous, but also noisy: the PCC of vacuum is near 0.

    Parameters
    ----------
    measured
        Intensities ``(..., energy)`` of any real dtype, usually ``(rows, columns, energy)``.
        Channels that are NaN in every spectrum are dead channels of the detector and left out.
    reconstructed
        Their reconstruction, of the same shape.

    Returns
    -------
    numpy.ndarray
        Coefficients in [-1, 1] of shape ``(...)``, usually ``(rows, columns)``. NaN where either
        spectrum is constant or holds a value that is not finite.

    Raises
    ------
    ValueError
        If the shapes differ, or fewer than three channels are left.

    Examples
    --------
    >>> measured = np.array([[1, 2, 4, 1], [5, 5, 5, 5]])
    >>> reconstructed = np.array([[10, 20, 40, 10], [1, 2, 3, 4]])
    >>> pearson_correlation(measured, reconstructed)
    array([ 1., nan])
    """
    measured, reconstructed = np.asarray(measured), np.asarray(reconstructed)
    if measured.shape != reconstructed.shape:
        raise ValueError(
            f"reconstructed has the shape {reconstructed.shape}, but measured has "
            f"{measured.shape}: give the reconstruction of the same pixels and channels."
        )
    channels = measured.shape[-1] if measured.ndim else 0
    if channels < _FEWEST_CHANNELS:
        raise ValueError(
            f"measured has {channels} channels along its last axis, but a correlation needs at "
            f"least {_FEWEST_CHANNELS}: widen the energy window."
        )
    score = np.full(measured.shape[:-1], np.nan)
    alive = _alive(measured)
    if score.size and alive.sum() < _FEWEST_CHANNELS:
        raise ValueError(
            f"measured has {alive.sum()} channels that are not NaN in every spectrum, but a "
            f"correlation needs at least {_FEWEST_CHANNELS}: widen the energy window."
        )
    # A mask copies, so that it is applied only where it leaves something out.
    kept = slice(None) if alive.all() else alive
    for block in _blocks(measured.shape):
        score[block] = _correlation(measured[block][..., kept], reconstructed[block][..., kept])
    return score


def _correlation(measured: NDArray[Any], reconstructed: NDArray[Any]) -> NDArray[np.float64]:
    """PCC over the last axis of arrays that fit into memory."""
    # Not finite: NaN or infinity in a spectrum. 0 / 0: a constant one. Both are to give NaN.
    with np.errstate(invalid="ignore", over="ignore"):
        spectra = _standardised(measured), _standardised(reconstructed)
    return np.clip(np.einsum("...e,...e->...", *spectra), -1, 1)


def _standardised(spectra: NDArray[Any]) -> NDArray[np.float64]:
    """Spectra less their mean, and of unit length.

    Their first channel is subtracted first: a constant spectrum becomes exactly 0, and a large
    offset costs no digits of the mean. Division by the largest value keeps squares in range.
    """
    spectra = spectra.astype(np.float64)
    spectra -= spectra[..., :1].copy()
    spectra /= np.abs(spectra).max(axis=-1, keepdims=True)
    spectra -= spectra.mean(axis=-1, keepdims=True)
    spectra /= np.linalg.norm(spectra, axis=-1, keepdims=True)
    return spectra


def _alive(measured: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which channels hold a number in at least one spectrum."""
    if measured.dtype.kind != "f":
        return np.ones(measured.shape[-1], bool)
    alive = np.zeros(measured.shape[-1], bool)
    for block in _blocks(measured.shape):
        alive |= ~np.isnan(measured[block]).reshape(-1, alive.size).all(axis=0)
        if alive.all():
            break
    return alive


def _blocks(shape: tuple[int, ...]) -> Iterator[Any]:
    """Yield indices of blocks of rows of an array ``(rows, ..., energy)``."""
    if len(shape) == 1:
        yield ...
        return
    row_bytes = 8 * max(1, int(np.prod(shape[1:])))
    step = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, shape[0], step):
        yield slice(start, start + step)
