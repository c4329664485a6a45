"""How well spectra are reconstructed, beside PCA of few and of many components."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae.blocks import Cube, spectra_at
from hyperspy_cvae.detection._misfit import noise_of
from hyperspy_cvae.reconstruction import PCA
from hyperspy_cvae.sampling import some_of

_ENOUGH_SPECTRA = 6000  # to know the bulk's principal components
_FEWEST_LEFT = 0.3  # of the noise of a channel, by principal components


@dataclass(frozen=True)
class ReconstructionQuality:
    """How far reconstructions are from a second recording of the same spectra.

    Attributes
    ----------
    explained_variance_ratio
        Of all principal components.
    pca
        Misfit of PCA with 1, 2, ... components; noise alone leaves 1.
    misfit
        That of the reconstruction.
    """

    explained_variance_ratio: NDArray[np.floating]
    pca: NDArray[np.float64]
    misfit: float

    @property
    def verdict(self) -> str:
        """Than how many components the reconstruction is better, in words.

        Examples
        --------
        >>> ReconstructionQuality(np.ones(3) / 3, np.array([2.0, 1.2, 1.1]), 1.15).verdict
        'better than PCA with 2 components, but not than with 3'
        """
        as_good = np.flatnonzero(self.pca <= self.misfit)
        if not as_good.size:
            return f"better than PCA with any number of components up to {self.pca.size}"
        number = int(as_good[0])
        if number == 0:
            return "no better than PCA with 1 component"
        plural = "s" if number > 1 else ""
        return f"better than PCA with {number} component{plural}, but not than with {number + 1}"


def reconstruction_quality(
    measured: Cube,
    expected: Cube,
    channels: NDArray[np.bool_],
    judged: NDArray[np.bool_],
    n_components: int = 10,
) -> ReconstructionQuality:
    r"""Compare a reconstruction with PCA of 1 to ``n_components`` components.

    What PCA leaves over falls with every component, for components take up noise, too. So what is
    asked is how well a reconstruction :math:`r` would fit a second recording of the same spectra,
    whose noise is another one. That is told by the first recording :math:`x`: the median over the
    pixels, of which anomalies are too few to matter, of

    .. math:: \frac{1}{E} \sum_e \frac{(x_e - r_e)^2}{\sigma_e^2} + 2 h

    where :math:`h` is the share of its own noise that the reconstruction holds [1]_. Of k
    components :math:`u_j` it is :math:`\sum_{j \le k} \sum_e u_{je}^2 / E`, if they were found in
    other spectra: they are, in half of those that are looked at, and the other half is judged. The
    reconstruction to compare is taken to hold that of the sum of a spectrum, to which it is scaled,
    and no other, as of a network that is trained not to copy noise; then it is
    :math:`\sum_e r_e / E` over the whole sum. 1 is left where there is no error.

    The variance :math:`\sigma_e^2` of the noise is estimated (see :func:`estimate_noise`) from what
    the best number of components and from what the reconstruction leave over; the lower is taken,
    for a misfit only adds to it. It is known to some per cent, and the level of noise alone with
    it; that of one reconstruction beside another does not depend on it.

    Parameters
    ----------
    measured
        Counts ``(rows, columns, energy)``, finite.
    expected
        Their reconstruction, of the same shape.
    channels
        Where to compare, boolean ``(energy,)``. The components are those of all channels.
    judged
        Pixels that count, ``(rows, columns)``; of many, 6000 are looked at.
    n_components
        Largest number of components.

    Raises
    ------
    ValueError
        If there are too few spectra for so many components.

    References
    ----------
    .. [1] B. Efron, J. Am. Stat. Assoc. **99** (2004) 619.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bulk = 50 + 30 * rng.random((30, 30, 2)) @ rng.random((2, 40))
    >>> counts = rng.poisson(bulk).astype("float32")
    >>> everything = np.ones(40, bool), np.ones((30, 30), bool)
    >>> reconstruction_quality(counts, bulk.astype("float32"), *everything, 4).verdict
    'better than PCA with any number of components up to 4'
    """
    pixels = some_of(judged, _ENOUGH_SPECTRA)
    counts, bulk = (spectra_at(cube, pixels) for cube in (measured, expected))
    ratio = PCA(n_components).fit(counts[np.newaxis]).explained_variance_ratio
    components = PCA(n_components).fit(counts[np.newaxis, 1::2]).components
    assert components is not None
    counts, bulk = counts[::2], bulk[::2]
    scores, numbers = counts @ components, range(1, n_components + 1)
    shares = np.square(components).cumsum(1)

    def left_by(number: int) -> NDArray[np.float32]:
        return counts - scores[:, :number] @ components[:, :number].T

    def misfit(
        residual: NDArray[np.float32], share: NDArray[np.floating], variance: NDArray[np.floating]
    ) -> float:
        square = (np.square(residual) / variance)[:, channels].mean(1)
        return float(np.median(square) + 2 * share[channels].mean())

    def misfits(variance: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.array([misfit(left_by(k), shares[:, k - 1], variance) for k in numbers])

    def variance_of(residual: NDArray[np.float32]) -> NDArray[np.floating]:
        return noise_of(bulk + residual, bulk).variance(bulk)

    by_network = variance_of(counts - bulk)
    best = int(np.argmin(misfits(by_network)))
    untaken = np.maximum(1 - shares[:, best], _FEWEST_LEFT)
    by_pca = variance_of(left_by(best + 1) / np.sqrt(untaken))
    variance = min(by_network, by_pca, key=np.mean)
    mean = bulk.mean(0)
    own = misfit(counts - bulk, mean / mean.sum(), variance)
    return ReconstructionQuality(ratio, misfits(variance), own)
