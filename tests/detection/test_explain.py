"""Explanations: are shifts, intensities and excesses right, are their errors, and the words?"""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import norm
from scipy.stats import t as student

from hyperspy_cvae.detection import (
    BulkDeviations,
    Edge,
    Explanation,
    Finding,
    Region,
    describe_regions,
    explain_difference,
)
from hyperspy_cvae.detection._explain import _allowing_for
from hyperspy_cvae.phantoms import LocalChemistry, PeakShift, Phantom, bifeo3

ENERGY = np.arange(690, 740, 0.3)
FE = [Edge("Fe_L3", 708.0, declared=True), Edge("Fe_L2", 721.0, declared=True)]
MN = [Edge("Mn_L3", 640.0), Edge("Mn_L2", 651.0)]
O_K = Edge("O_K", 532.0, declared=True)


def iron(shift: float = 0.0, height: float = 400.0) -> np.ndarray:
    """Two white lines on a background; the lines are where they are by definition."""
    l3 = height / (1 + (ENERGY - 713 - shift) ** 2)
    l2 = height / 2 / (1 + ((ENERGY - 726 - shift) / 1.3) ** 2)
    return 1000 * (ENERGY / 690) ** -3 + l3 + l2


def noise(sigma: float, spectra: int, correlated: bool, seed: int = 0) -> np.ndarray:
    white = np.random.default_rng(seed).normal(0, 1, (spectra, ENERGY.size))
    if correlated:
        white = gaussian_filter1d(white, 1.0, axis=1, mode="wrap")
        white /= white.std()
    return sigma * white


def patches(means: np.ndarray) -> BulkDeviations:
    """Patches as large as the region, of whose deviations nothing is known to average out."""
    return BulkDeviations(means, np.zeros((ENERGY.size, ENERGY.size)), 1, 1)


def told(true: np.ndarray, sigma: float, correlated: bool = False) -> Iterator[Explanation]:
    """Explain 150 draws of one spectrum, by patches that hold noise alone."""
    deviations = patches(noise(1.0, 400, True, seed=1)) if correlated else None
    for drawn in noise(sigma, 150, correlated):
        error = np.full(ENERGY.size, sigma)
        yield explain_difference(
            ENERGY, true + drawn, iron(), error, 0.3, deviations=deviations, edges=FE
        )


@pytest.mark.parametrize("correlated", [False, True])
@pytest.mark.parametrize(("shift", "sigma"), [(1.9, 20.0), (-2.5, 20.0), (0.3, 8.0)])
def test_shift_is_unbiased_and_its_error_right(
    shift: float, sigma: float, correlated: bool
) -> None:
    first = [explanation.findings[0] for explanation in told(iron(shift), sigma, correlated)]
    assert {(each.kind, str(each.edges[0])) for each in first} == {("shift", "Fe L3")}
    pulls = np.array([(each.change - shift) / each.error for each in first])
    assert abs(pulls.mean()) < 3 / np.sqrt(pulls.size)
    assert pulls.std() == pytest.approx(1, abs=0.2)
    # As many standard errors, too: the difference that the shift makes is known as well.
    assert np.mean(np.abs(pulls) < 1) == pytest.approx(0.68, abs=0.12)


def test_what_a_fit_leaves_over_does_not_hide_another_line() -> None:
    # The L3 line is narrower than the bulk's, which no shift and no factor makes of it.
    def spectrum(l3: float, width: float, l2: float) -> np.ndarray:
        lines = l3 * np.exp(-(((ENERGY - 713) / width) ** 2) / 2) + l2 / (1 + (ENERGY - 726) ** 2)
        return 1000 * (ENERGY / 690) ** -3 + lines

    measured = spectrum(500, 1.0, 130) + noise(8.0, 1, False)[0]
    error = np.full(ENERGY.size, 8.0)
    explained = explain_difference(ENERGY, measured, spectrum(150, 2.0, 100), error, 0.3, edges=FE)
    told = [(each.kind, str(each.edges[0])) for each in explained]
    assert told == [("intensity", "Fe L3"), ("intensity", "Fe L2")]


def test_a_line_stronger_than_the_change_of_the_maximum_under_it_is_told() -> None:
    def spectrum(line: float) -> np.ndarray:
        lines = 400 * np.exp(-(((ENERGY - 713) / 4) ** 2) / 2)
        lines += line * np.exp(-(((ENERGY - 716) / 0.8) ** 2) / 2)
        return 1000 * (ENERGY / 690) ** -3 + lines

    measured = spectrum(150) + noise(8.0, 1, False)[0]
    error = np.full(ENERGY.size, 8.0)
    first, *_ = explain_difference(ENERGY, measured, spectrum(0), error, 0.3, edges=FE)
    assert first.kind == "excess"
    assert first.energy == pytest.approx(716, abs=0.6)


@pytest.mark.parametrize("correlated", [False, True])
def test_intensity_is_unbiased_and_its_error_right(correlated: bool) -> None:
    weaker = iron(height=300.0)
    scale = weaker.sum() / iron().sum()
    first = [explanation.findings[0] for explanation in told(weaker, 8.0, correlated)]
    assert {(each.kind, str(each.edges[0])) for each in first} == {("intensity", "Fe L3")}
    pulls = np.array([(each.change - (0.75 / scale - 1)) / each.error for each in first])
    assert abs(pulls.mean()) < 3 / np.sqrt(pulls.size)
    assert pulls.std() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("correlated", [False, True])
def test_nothing_is_found_where_there_is_nothing(correlated: bool) -> None:
    """At 3 sigma after all looks, in one of 370 draws."""
    explanations = list(told(iron(), 20.0, correlated))
    assert sum(bool(each.findings) for each in explanations) <= 1
    assert {each.largest.significance < 4 for each in explanations} == {True}
    assert str(explanations[0]).startswith("no single change stands out; the largest deviation is")


def test_excess_and_lack_where_the_bulk_has_nothing() -> None:
    for amount, word in ((60.0, "excess"), (-60.0, "lack")):
        more = iron() + amount * np.exp(-(((ENERGY - 699) / 1.5) ** 2) / 2)
        explanation = next(told(more, 5.0))
        (finding,) = explanation
        assert finding.kind == "excess"
        assert finding.energy == pytest.approx(699, abs=0.7)
        background = 1000 * (699 / 690) ** -3
        assert finding.change == pytest.approx(amount / background, abs=4 * finding.error)
        assert str(finding).startswith(word)
        np.testing.assert_allclose(explanation.fitted, more, rtol=0.02)


def test_level_alone() -> None:
    tilted = iron() * np.linspace(0.9, 1.1, ENERGY.size)
    (finding,) = next(told(tilted, 20.0))
    assert finding.kind == "level"
    assert finding.change == pytest.approx(0.2, abs=4 * finding.error)
    assert str(finding).startswith("level rises by ")
    assert "eV" not in str(finding)


def test_what_the_reconstruction_gets_wrong_everywhere_is_no_finding() -> None:
    """Maxima that are off by 0.3 eV one way or the other in patches, too."""
    rng = np.random.default_rng(2)
    sigma = 8.0
    misfit = np.stack([iron(each) for each in rng.normal(0, 0.3, 80)]) - iron()
    deviations = patches((misfit + noise(sigma, 80, correlated=False)) / sigma)
    measured, error = iron(0.3) + noise(sigma, 1, False)[0], np.full(ENERGY.size, sigma)
    spectra = (ENERGY, measured, iron(), error)
    assert explain_difference(*spectra, 0.3).findings[0].kind == "shift"
    assert not explain_difference(*spectra, 0.3, deviations=deviations).findings


def test_a_maximum_that_leaves_its_window_is_not_called_weaker_than_nothing() -> None:
    for explanation in (next(told(iron(shift), 5.0)) for shift in (9.0, -9.0)):
        assert all(each.change > -1 for each in explanation if each.kind == "intensity")


def test_counts_explained_are_those_of_what_is_told() -> None:
    flat, error = np.full(ENERGY.size, 1000.0), np.full(ENERGY.size, 2.0)
    peaks = [
        height * np.exp(-(((ENERGY - energy) / 1.5) ** 2) / 2)
        for energy, height in ((698, 90), (708, 80), (718, 70), (730, 60))
    ]
    explanation = explain_difference(ENERGY, flat + np.sum(peaks, axis=0), flat, error, 0.3)
    assert [round(each.energy) for each in explanation] == [698, 708, 718]
    added = explanation.fitted - explanation.bulk
    np.testing.assert_allclose(added[ENERGY < 723], np.sum(peaks, axis=0)[ENERGY < 723], atol=12)
    assert not added[ENERGY > 724].any()


@pytest.mark.parametrize(("looks", "patches", "errors"), [(1, 30, 5), (1, 80, 9), (90, 320, 12)])
def test_significance_knows_how_few_patches_tell_the_error(
    looks: int, patches: int, errors: float
) -> None:
    sigmas = _allowing_for(looks, patches, errors)
    assert sigmas == pytest.approx(norm.isf(looks * student.sf(errors, patches)), rel=1e-3)
    assert sigmas < _allowing_for(looks, np.inf, errors)
    assert np.isfinite(_allowing_for(looks, patches, 1e9))


def test_units_of_the_axis_are_kept() -> None:
    error = np.full(ENERGY.size, 5.0)
    first, *_ = explain_difference(
        ENERGY / 1000, iron(1.9), iron(), error, 0.3, edges=FE, units="keV"
    )
    told = str(first)
    assert told.startswith("Fe L3 maximum 0.001900 ± 0.000008 keV higher than in bulk (0.7131 keV)")


@pytest.mark.parametrize("unknown", ["error", "counts"])
def test_what_cannot_be_told(unknown: str) -> None:
    error = np.full(ENERGY.size, np.nan if unknown == "error" else 1.0)
    measured = iron() if unknown == "error" else 0 * ENERGY
    explanation = explain_difference(ENERGY, measured, iron(), error, 0.3)
    assert not explanation.findings
    assert explanation.largest is None
    assert str(explanation).startswith("cannot be told")


def region_of(phantom: Phantom, signal_range: tuple[float, float], edges: list[Edge]) -> str:
    """Explain the one disc of a phantom by the truth about its bulk."""
    energy = phantom.signal.axes_manager.signal_axes[0].axis
    channels = (energy >= signal_range[0]) & (energy <= signal_range[1])
    measured, bulk = (each.data[..., channels] for each in (phantom.signal, phantom.bulk))
    mask = phantom.truth.data
    everything = np.ones_like(mask)
    region: Region
    (region,) = describe_regions(mask, -1.0 * mask, 1.0 - mask, measured, bulk, 0.3, everything)
    return str(
        explain_difference(
            energy[channels],
            measured[mask].mean(0, dtype=float),
            bulk[mask].mean(0, dtype=float),
            region.error,
            0.3,
            deviations=region.deviations,
            edges=edges,
        )
    )


@pytest.mark.parametrize(
    ("anomaly", "offset", "signal_range", "edges", "sentences"),
    [
        (
            PeakShift(2.4, discs=1, radius=4),
            680.0,
            (690.0, 745.0),
            FE,
            ["Fe L3 maximum 2.403 ± 0.009 eV higher than in bulk (712.7 eV)", "Fe L2 maximum 2.3"],
        ),
        (
            PeakShift(0.9, discs=1, radius=4),
            680.0,
            (690.0, 745.0),
            FE,
            ["Fe L3 maximum 0.89 ± 0.01 eV higher than in bulk (712.7 eV)", "Fe L2 maximum 0.9"],
        ),
        (
            LocalChemistry(l3=-1.6, l2=-0.1, discs=1, radius=4),
            680.0,
            (690.0, 745.0),
            FE,
            [
                "Fe L3 maximum 1.57 ± 0.01 eV lower than in bulk (712.7 eV)",
                "Fe L2 maximum 1.59 ± 0.02 eV lower than in bulk (725.6 eV)",
                "Fe L2 maximum at 725.6 eV 17 ± 2 % weaker than in bulk",
            ],
        ),
        (
            LocalChemistry(prepeak=0.4, discs=1, radius=4),
            505.0,
            (515.0, 560.0),
            [O_K],
            ["excess of 20 ± 1 % at 529.6 eV, at O K (onset 532 eV)"],
        ),
        (
            LocalChemistry(manganese=0.12, discs=1, radius=4),
            615.0,
            (625.0, 745.0),
            FE + MN,
            [
                "excess of 26 ± 1 % at 640.8 eV, near Mn L3 (onset 640 eV)",
                "Fe L3 maximum at 712.5 eV 16.2 ± 0.9 % weaker than in bulk",
            ],
        ),
    ],
    ids=["shift 2.4 eV", "shift 0.9 eV", "valence", "prepeak", "manganese"],
)
def test_sentences(
    anomaly: PeakShift | LocalChemistry,
    offset: float,
    signal_range: tuple[float, float],
    edges: list[Edge],
    sentences: list[str],
) -> None:
    channels = int((signal_range[1] + 10 - offset) / 0.3) + 20
    phantom = bifeo3((40, 40), channels, offset=offset, anomaly=anomaly)
    explanation = region_of(phantom, signal_range, edges)
    for found, expected in zip(explanation.split("; "), sentences, strict=False):
        assert found.startswith(expected)


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (
            Finding("shift", 713.4, 1.9, 0.31, 6.1, (Edge("Fe_L3", 708.0),)),
            "maximum near Fe L3 1.9 ± 0.3 eV higher than in bulk (713.4 eV), 6 sigma",
        ),
        (
            Finding("shift", 80.0, -2.5, 0.2, 12.0, (), "meV"),
            "maximum 2.5 ± 0.2 meV lower than in bulk (80 meV), 12 sigma",
        ),
        (
            Finding("intensity", 726.0, -0.221, 0.0099, 22.0, (FE[1],)),
            "Fe L2 maximum at 726 eV 22 ± 1 % weaker than in bulk, 22 sigma",
        ),
        (
            Finding("excess", 727.0, 0.12, 0.03, 3.8, (Edge("Cs_M5", 726.0), Edge("Fe_L2", 721.0))),
            "excess of 12 ± 3 % at 727 eV, near Cs M5 (onset 726 eV) or Fe L2 (onset 721 eV), "
            "4 sigma",
        ),
        (
            Finding("excess", 1.5, -0.12, 0.03, 0.2, ()),
            "lack of 12 ± 3 % at 1.5 eV, less than 1 sigma",
        ),
    ],
)
def test_words(finding: Finding, sentence: str) -> None:
    assert str(finding) == sentence
