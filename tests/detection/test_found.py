"""All that the automatic threshold asks, of a map and of the counts behind it."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter

from hyperspy_cvae.detection import find_anomalies, find_anomalous_regions

SHAPE, ENERGIES = (192, 192), np.arange(60)
COMPARED = ENERGIES >= 30


def line(maximum: float) -> NDArray[np.float64]:
    return 40 * np.exp(-(((ENERGIES - maximum) / 4) ** 2))


def square(row: int, column: int) -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, bool)
    mask[row : row + 12, column : column + 12] = True
    return mask


BULK = 20 + line(15) + line(45)
FAINT, RARE = square(150, 40) | square(100, 60), square(20, 30)


@pytest.fixture(scope="module")
def measured() -> NDArray[np.float32]:
    """In three places the second line lies elsewhere."""
    spectra = np.broadcast_to(BULK, (*SHAPE, 60)).copy()
    spectra[binary_dilation(FAINT | RARE, iterations=3)] = 20 + line(15) + line(48)
    return np.random.default_rng(0).poisson(spectra).astype(np.float32)


@pytest.mark.parametrize("depth", [0.5, 1.5])
def test_what_is_low_or_large_and_no_rare_bulk(measured: NDArray[np.float32], depth: float) -> None:
    """By its size is found what is no lower than the bulk; who is surely lower is not asked."""
    scores = gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 1.5)
    scores[FAINT] -= 0.5
    scores[RARE] -= depth
    by_depth, _ = find_anomalies(scores, "combined")
    assert by_depth[RARE].any() == (depth > 1)
    assert not by_depth[FAINT].any()
    expected = np.broadcast_to(BULK, measured.shape).astype(np.float32)
    asked = 0

    def turned() -> NDArray[np.float32]:
        """It makes something else of the rare bulk."""
        nonlocal asked
        asked += 1
        spectra = expected.copy()
        spectra[binary_dilation(RARE, iterations=3)] += np.float32(0.5) * (line(48) - line(45))
        return spectra[..., COMPARED]

    compared = measured, expected[..., COMPARED], COMPARED, np.ones(SHAPE, bool)
    mask, threshold = find_anomalous_regions(scores, "combined", *compared, turned)
    assert (mask & FAINT).sum() > 0.7 * FAINT.sum()
    assert "are called anomalous" in threshold.reason
    assert (mask & RARE).any() == (depth > 1)
    assert asked == 1
    without_network, threshold = find_anomalous_regions(scores, "combined", *compared)
    np.testing.assert_array_equal(without_network, by_depth)
    assert threshold.unimodal != by_depth.any()
