"""What a half-trained network finds foreign: a place that does not fit in one band."""

import numpy as np
import pytest

from hyperspy_cvae.training import outlyingness


@pytest.fixture
def scan() -> tuple[np.ndarray, np.ndarray]:
    expected = np.broadcast_to(100 + 50 * np.cos(np.arange(80) / 9), (40, 40, 80))
    expected = expected.astype(np.float32)
    return np.random.default_rng(0).poisson(expected).astype(np.float32), expected


def everything() -> np.ndarray:
    return np.ones((40, 40), bool)


def test_noise_is_not_foreign(scan: tuple[np.ndarray, np.ndarray]) -> None:
    far = outlyingness(*scan, everything())
    assert far.max() < 7
    assert 0 < np.median(far) < 2


def test_a_local_misfit_in_one_band_goes_before_a_slight_one_everywhere(
    scan: tuple[np.ndarray, np.ndarray],
) -> None:
    measured, expected = scan
    measured[5:10, 5:10, 30:36] += 12
    # The same mean square of the residual, spread over all bands.
    measured[25:30, 25:30] += 12 * np.sqrt(6 / 80) * np.where(np.arange(80) % 2, 1, -1)
    far = outlyingness(measured, expected, everything())
    assert far[6:9, 6:9].min() > 8
    assert far[6:9, 6:9].mean() > 1.5 * far[26:29, 26:29].mean()


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_the_scale_of_intensities_does_not_matter(
    scan: tuple[np.ndarray, np.ndarray], factor: float
) -> None:
    measured, expected = scan
    scaled = outlyingness(
        measured * np.float32(factor), expected * np.float32(factor), everything()
    )
    np.testing.assert_allclose(scaled, outlyingness(*scan, everything()), rtol=1e-3, atol=1e-3)


def test_spectra_that_are_not_used_do_not_say_what_is_usual(
    scan: tuple[np.ndarray, np.ndarray],
) -> None:
    measured, expected = scan
    before = outlyingness(measured, expected, everything())
    measured[30:] *= 3
    use = everything()
    use[27:] = False
    far = outlyingness(measured, expected, use)
    np.testing.assert_allclose(far[:20], before[:20], atol=1.0)
    assert far[34:].min() > 20


def test_empty_spectra_and_a_perfect_fit(scan: tuple[np.ndarray, np.ndarray]) -> None:
    _, expected = scan
    empty = np.zeros_like(expected)
    assert np.isfinite(outlyingness(empty, empty, everything())).all()
    assert not outlyingness(expected, expected, everything()).any()
