"""What is rare is far from everything else; what drifts is near its neighbours."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from hyperspy_cvae.blocks import in_threads
from hyperspy_cvae.robust import QUANTILE
from hyperspy_cvae.sampling import some_of

ABOVE_NOISE = 1.08
"""Times the largest singular value of noise: a component with less may be noise."""

_OTHERS, _NEAR = 500, 0.1  # spectra that stand for all; the share of them that counts as near
_FEWEST_NEAR = 5
# A spectrum is isolated if it is so many times as far as the median one, and so many upper
# deviations: a little of one is enough if there is much of the other.
_FAR_FOR = 250, 6.0, 2.0  # spectra; times the median for so many, which fewer spectra raise; least
_DEVIATIONS = 2.2
_SURELY = 4.0, 4.6
_MOST = 0.2  # of the spectra may be isolated
_ROUNDS = 3
_SAME = 0.5  # of the length of an axis
_BLOCK = 8  # channels whose signs are flipped together
_AT_ONCE = 2**18
_FAINTEST = 1e-3
_TINY = 1e-9


def isolation(
    places: NDArray[np.floating],
    used: NDArray[np.bool_],
    weights: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    r"""Return how isolated spectra are, ``(spectra,)``: above 1 they are far from most others.

    Be :math:`d` the distance of a spectrum to the nearest tenth of the others, and :math:`\tilde d`
    the median of it. A drift is a chain and a step in thickness a continent, on which all are near
    many others, but a rare kind is an island. A spectrum is isolated if :math:`d / \tilde d` and
    the deviation of its logarithm, over the upper robust spread of all, are both above their
    limits.

    Parameters
    ----------
    places
        Scores of each spectrum, ``(spectra, components)``.
    used
        Spectra that count as others, boolean ``(spectra,)``.
    weights
        By which distances are multiplied, such as the root of the counts; 1 if not given.

    Examples
    --------
    >>> chain = np.linspace(0, 100, 300)[:, np.newaxis] * [1.0, 0.0]
    >>> far = isolation(np.vstack([chain, [[50.0, 90.0]]]), np.ones(301, bool))
    >>> np.flatnonzero(far > 1)
    array([300])
    """
    (chosen,) = some_of(used, _OTHERS)
    others = places[np.sort(chosen)].astype(np.float64)
    centre = others.mean(0)
    others -= centre
    near = min(max(_FEWEST_NEAR, int(_NEAR * len(others))), len(others) - 1)
    squares = np.square(others).sum(1)

    def distances(begin: int) -> NDArray[np.float64]:
        some = places[begin : begin + at_once] - centre
        between = some @ (-2 * others.T)
        between += squares
        nearest = np.partition(between, near, axis=1)[:, near]
        return np.sqrt(np.maximum(nearest + np.square(some).sum(1), 0))

    at_once = max(1, _AT_ONCE // len(others))
    distance = np.concatenate(in_threads(distances, range(0, len(places), at_once)))
    if weights is not None:
        distance = distance * weights
    times = distance / max(np.median(distance[used]), np.finfo(float).tiny)
    logarithm = np.log(np.maximum(times, _TINY))
    deviation = logarithm / max(np.quantile(logarithm[used], QUANTILE), _TINY)
    number, most, least = _FAR_FOR
    limit = np.clip(most * np.sqrt(number / used.sum()), least, most)
    return np.maximum(
        np.minimum(times / limit, deviation / _DEVIATIONS),
        np.minimum(times / _SURELY[0], deviation / _SURELY[1]),
    )


def without_isolated(used: NDArray[np.bool_], far: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the spectra that are not isolated, of which at most a fifth are called so."""
    left: NDArray[np.bool_] = used & (far <= max(1.0, float(np.quantile(far[used], 1 - _MOST))))
    return left


def scaled(
    values: NDArray[np.float32], expected: NDArray[np.float32], used: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return values ``(spectra, energy)`` in units in which noise of counts is alike everywhere.

    They are divided by the roots of the mean spectrum and of the brightness of each spectrum.
    """
    mean = np.maximum(expected[used].mean(0, dtype=np.float64), _TINY)
    brightness = expected.sum(1, dtype=np.float64)
    brightness = np.maximum(brightness / max(brightness[used].mean(), _TINY), _FAINTEST)
    result: NDArray[np.float32] = values / np.sqrt(brightness)[:, np.newaxis].astype(np.float32)
    result /= np.sqrt(mean).astype(np.float32)
    return result


def axes_of_isolated(
    residual: NDArray[np.float32],
    noise: Sequence[NDArray[np.float32]],
    used: NDArray[np.bool_],
    most: int,
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return the spectra whose residuals are not isolated, and the axes that only others have.

    Components of the residual count that are larger than noise makes them. They are found again
    without what is isolated in them: what is lost then is an axis of what is isolated.

    Parameters
    ----------
    residual
        Scaled residuals, ``(spectra, energy)``; see :func:`scaled`.
    noise
        Arrays of the same shape and kind, without any component; see :func:`flipped`.
    used
        Spectra that count, boolean ``(spectra,)``.
    most
        Components at most.

    Returns
    -------
    usual : numpy.ndarray
        Boolean ``(spectra,)``.
    axes : numpy.ndarray
        Orthonormal, ``(axes, energy)``.
    """
    by_noise = ABOVE_NOISE**2 * strongest(noise, used) / used.sum()
    usual, first = used, None
    for turn in range(_ROUNDS):
        variances, components = leading(residual[usual], most)
        number = int((variances > by_noise * usual.sum()).sum())
        components = components[:number]
        if first is None:
            first = components
        if not len(first) or turn == _ROUNDS - 1:
            break
        left = without_isolated(used, isolation(residual @ first.T, used))
        if (left == usual).all():
            break
        usual = left
    assert first is not None
    return usual, only_in(first, components)


def only_in(axes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return orthonormal axes of what the rows of one array span and those of another don't."""
    if not len(axes):
        return axes
    lengths, found = np.linalg.svd(axes - (axes @ others.T) @ others, full_matrices=False)[1:]
    result: NDArray[np.float32] = found[lengths > _SAME]
    return result


def leading(
    spectra: NDArray[np.float32], number: int, exact: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return the largest squared singular values, and their components ``(number, energy)``.

    They come from the smaller of the two products of spectra with each other. In float32 what is
    below a thousandth of the largest is rounding; ``exact`` takes float64.
    """
    few = len(spectra) < spectra.shape[1]
    products = product(spectra.T if few else spectra, exact)
    size = len(products)
    number = min(number, size)
    values, vectors = eigh(products, subset_by_index=[size - number, size - 1])
    values = np.maximum(values[::-1], 0)
    components = vectors[:, ::-1].T
    if few:
        components = components @ spectra / np.sqrt(np.maximum(values, _TINY))[:, np.newaxis]
    return values, components.astype(np.float32)


def product(spectra: NDArray[np.float32], exact: bool = False) -> NDArray[np.float64]:
    """Return the products of columns with each other, ``(columns, columns)``, summed in parts."""
    at_once = max(1, _AT_ONCE // max(1, spectra.shape[1]))

    def part(begin: int) -> NDArray[np.floating]:
        some = spectra[begin : begin + at_once]
        some = some.astype(np.float64) if exact else some
        return some.T @ some

    total = np.zeros((spectra.shape[1],) * 2)
    for each in in_threads(part, range(0, len(spectra), at_once)):
        total += each
    return total


def strongest(noise: Sequence[NDArray[np.float32]], used: NDArray[np.bool_]) -> float:
    """Return the largest squared singular value of noise, on average over some realisations."""
    return float(np.mean([leading(each[used], 1)[0][0] for each in noise]))


def flipped(residual: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """Return residuals ``(spectra, energy)`` with the signs of blocks of eight channels flipped.

    What several spectra have in common is gone, and noise, also between neighbouring channels, is
    as before.
    """
    spectra, energy = residual.shape
    random = np.random.default_rng(seed)
    signs = random.integers(0, 2, (spectra, energy // _BLOCK + 1), dtype=np.int8) * 2 - 1
    result: NDArray[np.float32] = residual * np.repeat(signs, _BLOCK, axis=1)[:, :energy]
    return result
