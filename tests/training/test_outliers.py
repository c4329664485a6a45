"""What is foreign: what neither a half-trained network nor the other bands let expect."""

import numpy as np
import pytest

from hyperspy_cvae.training import Outliers


@pytest.fixture
def scan() -> tuple[np.ndarray, np.ndarray]:
    expected = np.broadcast_to(100 + 50 * np.cos(np.arange(80) / 9), (40, 40, 80))
    expected = expected.astype(np.float32)
    return np.random.default_rng(0).poisson(expected).astype(np.float32), expected


def everything() -> np.ndarray:
    return np.ones((40, 40), bool)


def outlyingness(measured: np.ndarray, expected: np.ndarray, use: np.ndarray) -> np.ndarray:
    far, _ = Outliers(measured, use).far_from(expected)
    return far


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
    assert np.quantile(far[6:9, 6:9], 0.2) > 6
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
    measured[30:, :, 30:36] += 60
    use = everything()
    use[27:] = False
    far = outlyingness(measured, expected, use)
    assert np.abs(far - before)[:20].mean() < 0.5
    assert far[:20].max() < 7
    assert far[34:].min() > 20


def test_empty_spectra_and_a_perfect_fit(scan: tuple[np.ndarray, np.ndarray]) -> None:
    _, expected = scan
    empty = np.zeros_like(expected)
    assert np.isfinite(outlyingness(empty, empty, everything())).all()
    assert not outlyingness(expected, expected, everything()).any()


def lines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    energies = np.arange(80)
    maxima = np.stack([first, second], -1)[..., np.newaxis] + np.array([[20], [60]])
    return (80 + 150 * np.exp(-(((energies - maxima) / 3) ** 2)).sum(-2)).astype(np.float32)


def test_bulk_that_the_rest_of_the_spectrum_explains_is_not_foreign() -> None:
    """Strain moves two lines together; the network knows none of it beyond what is frequent."""
    strain = np.broadcast_to(np.linspace(-2, 2, 80), (80, 80)).copy()
    rare, foreign = np.zeros((2, 80, 80), bool)
    rare[5:11, 5:11] = foreign[25:31, 25:31] = True
    strain[rare] = 2.6
    expected = lines(np.clip(strain, -2, 2), np.clip(strain, -2, 2))
    spectra = lines(strain, strain - 3 * foreign)
    far = outlyingness(
        np.random.default_rng(1).poisson(spectra).astype(np.float32),
        expected,
        np.ones((80, 80), bool),
    )
    assert far[26:30, 26:30].min() > 8
    assert far[6:10, 6:10].mean() < 2.5


@pytest.mark.parametrize(("channels", "used"), [(1, 40), (80, 3)])
def test_without_other_channels_or_spectra_the_network_decides(
    scan: tuple[np.ndarray, np.ndarray], channels: int, used: int
) -> None:
    measured, expected = (spectra[..., :channels] for spectra in scan)
    measured[1, 10:15] += 90
    use = everything()
    use[used:] = False
    outliers = Outliers(measured, use)
    far, _ = outliers.far_from(expected)
    assert far[1, 11:14].min() > 5
    assert outliers.by_rest is None


def test_what_the_rest_explains_to_a_part_is_as_far_as_it_is_not() -> None:
    """As 1.6 times the distance from what the rest lets expect, if the network is farther off."""
    measured = np.random.default_rng(2).poisson(np.full((40, 40, 80), 100.0)).astype(np.float32)
    measured[10:16, 10:16, 30:34] += 12
    outliers = Outliers(measured, everything())
    expected = np.full_like(measured, 100)
    expected[10:16, 10:16, 30:34] = 20
    unknown = np.full_like(measured, 100)
    far, near = (outliers.far_from(each)[0][12:14, 12:14] for each in (expected, unknown))
    np.testing.assert_allclose(far / near, 1.6, rtol=0.15)


def test_without_a_network_the_rest_of_the_spectrum_tells_alone() -> None:
    rng = np.random.default_rng(3)
    first = np.tile(np.linspace(-2, 2, 60), (60, 1))
    second = first.copy()
    second[20:26, 27:33] = 2
    outliers = Outliers(
        rng.poisson(lines(first, second)).astype(np.float32), np.ones((60, 60), bool)
    )
    assert outliers.by_rest is not None
    assert outliers.by_rest[22:24, 29:31].min() > 2 * np.quantile(outliers.by_rest, 0.95)
