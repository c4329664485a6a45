"""Pairs of spectra with independent noise, made of single ones."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from sklearn.decomposition import PCA
from torch import Tensor

_COMPONENTS = 24
_ABOVE = 2.0  # times the variance of the last, which is noise
_ENOUGH_SPECTRA = 2000  # to know the noise
_BRIGHT = 0.3  # of the median sum
_FITTING = 0.9  # of the spectra
_LAGS = 16  # channels over which a camera spreads its light
_FAR = 6  # the last of them, over which it spreads none
_BANK = 4096  # spectra of noise


class Recorruption:
    r"""Noise like that of the data, added to what a network is shown and taken from its target.

    A network that is shown a spectrum and is to return the same one gains by copying its noise, as
    far as its code has room. From a spectrum :math:`x = \mu + \varepsilon` and fresh noise
    :math:`\eta` of the same covariance as :math:`\varepsilon`, two are made whose noise is
    independent if it is Gaussian,

    .. math:: x + k \eta \quad\text{(shown)}, \qquad x - \eta / k \quad\text{(target)},

    and the cross-entropy, which is linear in the target, is on average that to :math:`\mu`. So
    noise is not copied but averaged away, over those pixels and channels that tell the same. What
    is judged later is shown as it is.

    Parameters
    ----------
    spectra
        Intensities of the data, ``(n, energy)``, by which its noise is told; see
        :func:`noise_of_spectra`.
    strength
        k: more is averaged over, and less of the data shows.
    device
        Where the shards are.

    References
    ----------
    T. Pang, H. Zheng, Y. Quan, H. Ji, CVPR (2021) 2043.
    """

    def __init__(
        self, spectra: NDArray[np.float32], strength: float, device: torch.device | str = "cpu"
    ) -> None:
        self.strength = strength
        deviation, correlation = noise_of_spectra(spectra)
        channels = deviation.size
        # Periodic noise of that correlation, on so long an axis that its ends do not meet.
        length = channels + correlation.size
        covariance = np.zeros(length)
        covariance[: correlation.size] = correlation
        covariance[-correlation.size + 1 :] = correlation[:0:-1]
        spectrum = np.sqrt(np.maximum(rfft(covariance).real, 0)).astype(np.float32)
        white = np.random.default_rng(0).standard_normal((_BANK, length), np.float32)
        noise = irfft(rfft(white) * spectrum, length)[:, :channels]
        self._bank = torch.from_numpy(noise * deviation.astype(np.float32)).to(device)

    def pair(self, intensities: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return what to show and what to aim at, both of the shape of ``intensities``.

        Parameters
        ----------
        intensities
            Shards ``(batch, rows, columns, energy)``; left as they are.
        random
            Source of the draw.
        """
        shape = intensities.shape[:-1]
        drawn = torch.from_numpy(random.integers(len(self._bank), size=shape))
        sign = torch.from_numpy(random.choice(np.array([-1, 1], np.float32), size=shape))
        scale = intensities.sum(-1).clamp_min(0).sqrt() * sign.to(intensities.device)
        noise = self._bank.index_select(0, drawn.to(intensities.device).ravel())
        noise = noise.view(intensities.shape).mul_(scale[..., None])
        target = torch.add(intensities, noise, alpha=-1 / self.strength)
        return noise.mul_(self.strength).add_(intensities), target


def noise_of_spectra(
    spectra: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the noise of spectra: its deviation in each channel, and its correlation over lags.

    It is what the principal components of one half of the spectra leave of the other half, but of
    the tenth that fits worst. As many are taken as stand out from noise, at most 24; what they take
    of the noise is allowed for.

    Parameters
    ----------
    spectra
        Intensities ``(n, energy)``; those with less than a third of the median sum do not count.

    Returns
    -------
    deviation : numpy.ndarray
        Of a spectrum with a sum of one, ``(energy,)``. The deviation of others is larger by the
        root of their sum, as of counts.
    correlation : numpy.ndarray
        Of two channels over their distance, ``(lags,)``, up to where it is no longer positive; the
        first is 1.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(np.full((3000, 100), 20.0))
    >>> deviation, correlation = noise_of_spectra(counts.astype(np.float32))
    >>> float((10 * deviation).mean().round(1)), float(correlation[1].round(1))
    (1.0, 0.0)
    """
    total = spectra.sum(-1, dtype=np.float64)
    bright = total > _BRIGHT * np.median(total)
    spectra, total = spectra[bright][:_ENOUGH_SPECTRA], total[bright][:_ENOUGH_SPECTRA, None]
    channels = spectra.shape[1]
    shapes = spectra / total
    mean = shapes.mean(0)
    unit = np.sqrt(np.maximum(mean, 1e-3 * np.abs(mean).mean()))
    standard = (shapes - mean) / unit * np.sqrt(total)
    known, other = standard[::2], standard[1::2]  # of its own noise a component takes more
    size = min(_COMPONENTS, len(known) // 4, channels // 4)
    lags = range(min(_LAGS, channels // 4) + 1)
    nothing = np.zeros(channels), np.eye(1, len(lags))[0]
    if size < 1:
        return nothing
    pca = PCA(size, svd_solver="randomized", random_state=0).fit(known)
    bulk = pca.components_[pca.explained_variance_ > _ABOVE * pca.explained_variance_[-1]]
    left = other - pca.mean_
    left -= (left @ bulk.T) @ bulk
    misfit = np.square(left).sum(1)
    left = left[misfit <= np.quantile(misfit, _FITTING)]
    taken = np.square(bulk).sum(0)
    variance = np.square(left).mean(0) / np.maximum(1 - taken, 0.3)
    if not variance.mean() > 0:
        return nothing
    left /= np.sqrt(np.maximum(variance, 1e-6 * variance.mean()))
    products = np.array([(left[:, : channels - lag] * left[:, lag:]).mean() for lag in lags])
    # The components, most of them smooth, leave a little less than nothing over long distances.
    products -= products[-_FAR:].mean() if len(lags) > 2 * _FAR else 0.0
    positive = np.logical_and.accumulate(products > 0)
    return unit * np.sqrt(variance), np.where(positive, products, 0) / products[0]
