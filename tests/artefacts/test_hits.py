"""X-ray hits are told from the counts alone, and nothing else is."""

import json
from pathlib import Path

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_cvae.artefacts import Hits, deviance_roots
from hyperspy_cvae.artefacts import find_hits as hits_of
from hyperspy_cvae.blocks import Cube, in_memory
from hyperspy_cvae.phantoms import Detector, Structure, bifeo3

MEASURED = Path(__file__).parents[3] / "shared" / "data" / "measured"
ENERGY = np.arange(120.0)
SPECTRUM = 40 + 200 * np.exp(-ENERGY / 50) + 120 * (ENERGY > 60) * np.exp(-(ENERGY - 60) / 40)


def find_hits(cube: Cube) -> tuple[Hits, Cube]:
    return hits_of(cube, np.maximum(in_memory(cube).sum(2), 0))


def scan(rows: int, columns: int, dose: float = 1.0, seed: int = 0) -> np.ndarray:
    """Counts of a wedge with two kinds of bulk, whose edge is higher in one."""
    random = np.random.default_rng(seed)
    thickness = np.linspace(0.6, 1.4, columns)[:, np.newaxis]
    higher = 1 + 0.3 * (np.arange(rows) > rows // 2)[:, np.newaxis, np.newaxis] * (ENERGY > 60)
    return random.poisson(dose * thickness * higher * SPECTRUM).astype(np.float32)


@pytest.mark.parametrize("shape", [(5, 5), (1, 60), (60, 1), (24, 30), (90, 90)])
@pytest.mark.parametrize("dose", [0.01, 1.0, 100.0])
def test_a_hit_is_found_and_repaired_at_any_size_and_dose(
    shape: tuple[int, int], dose: float
) -> None:
    clean = scan(*shape, dose)
    assert not find_hits(clean)[0].pixels.any()
    struck, place = clean.copy(), (shape[0] // 2, shape[1] // 3)
    usual = dose * SPECTRUM[80]
    struck[(*place, slice(80, 82))] += 25 * np.sqrt(usual) + 25
    before = struck.copy()
    hits, repaired = find_hits(struck)
    assert np.argwhere(hits.pixels).tolist() == [list(place)]
    assert hits.height[place] > hits.limit
    assert set(hits.places[:, 2].tolist()) <= {79, 80, 81, 82}
    assert np.array_equal(struck, before)
    assert abs(repaired[place][80:82] - clean[place][80:82]).mean() < 5 * np.sqrt(usual) + 5
    untouched = np.ones(clean.shape, bool)
    untouched[(*place, slice(76, 86))] = False
    assert np.array_equal(repaired[untouched], struck[untouched])


@pytest.mark.parametrize("channel", [0, 1, 118, 119])
def test_a_hit_at_an_end_of_the_axis(channel: int) -> None:
    counts = scan(12, 12)
    counts[6, 7, channel] += 40 * np.sqrt(SPECTRUM[channel])
    assert np.argwhere(find_hits(counts)[0].pixels).tolist() == [[6, 7]]


def test_a_scan_on_disk_has_the_same_hits() -> None:
    counts = scan(40, 30)
    for row, column, channel in ((3, 4, 80), (19, 20, 20), (39, 29, 119)):
        counts[row, column, channel] += 700
    hits, repaired = find_hits(counts)
    assert hits.pixels.sum() == 3
    lazily, on_disk = find_hits(da.from_array(counts, (20, 20, 120)))
    assert isinstance(on_disk, da.Array)
    assert np.array_equal(lazily.pixels, hits.pixels)
    assert np.allclose(lazily.height, hits.height)
    assert np.allclose(on_disk.compute(), repaired)


def test_edges_shifts_dead_channels_and_whole_spectra_are_no_hits() -> None:
    counts = scan(24, 30)
    counts[4, 5, 62:] *= 1.8  # a higher edge
    counts[7:9, 9:11] = counts[7:9, 9:11, ::-1]
    counts[12, 12] *= 3
    counts[..., 33] = 0
    counts[..., 90] = 777
    counts[15, 15, 40:52] += 300  # a line as wide as fine structure
    counts[20, 10:12, 70] += 400  # in two pixels
    hits, repaired = find_hits(counts)
    assert not hits.pixels.any()
    assert repaired is counts


def test_lines_of_rare_bulk_are_no_hits() -> None:
    """Where a domain is a pixel wide, its white line is as narrow as a hit."""
    walls = Structure(domain_size=24, wall_width=2)
    phantom = bifeo3((96, 96), 500, 500.0, 0.5, walls, Detector(dose=42), None, seed=321)
    assert not find_hits(phantom.signal.data)[0].pixels.any()


def test_what_cannot_be_told_is_left_alone() -> None:
    for cube in (np.zeros((4, 4, 50)), np.full((4, 4, 50), 7.0), np.ones((3, 3, 5))):
        hits, same = find_hits(cube.astype(np.float32))
        assert not hits.pixels.any()
        assert same.shape == cube.shape
    negative = scan(10, 10) - 100
    assert np.isfinite(find_hits(negative)[1]).all()


def test_counts_times_a_factor_have_the_same_hits() -> None:
    counts = scan(20, 20)
    counts[3, 4, 80] += 400
    counts[8, 1, 20] += 700
    pixels = find_hits(counts)[0].pixels
    assert pixels.sum() == 2
    for factor in (8, 100):
        assert np.array_equal(find_hits(factor * counts)[0].pixels, pixels)


def test_roots_of_the_deviance_are_nearly_normal() -> None:
    counts = np.random.default_rng(0).poisson(20.0, 100_000)
    roots = deviance_roots(counts, np.full(100_000, 20.0))
    assert abs(roots.mean()) < 0.1
    assert roots.std() == pytest.approx(1, abs=0.03)


@pytest.mark.skipif(not MEASURED.exists(), reason="the measured spectrum images are not here")
def test_hits_of_measured_scans() -> None:
    """What is known to be one is found, and of the scans without hardly anything is called one."""
    cases = json.loads((MEASURED / "index.json").read_text())
    seen = 0
    for case in cases:
        data = np.asarray(hs.load(MEASURED / case["file"]).data, np.float32)
        pixels = find_hits(data.reshape(-1, *data.shape[-2:]))[0].pixels.ravel()
        if "hit" in case["name"] or "spike" in case["name"]:
            truth = np.load(MEASURED / case["truth"]).astype(bool).ravel()
            assert (pixels & truth).sum() >= 0.8 * truth.sum(), case["name"]
            seen += 1
        if case["truth"] == "null":
            ignored = case["ignore"]
            rest = ~np.load(MEASURED / ignored).astype(bool).ravel() if ignored else ~pixels | True
            assert not (pixels & rest).any(), case["name"]
    assert seen >= 3


def test_a_hit_is_repaired_by_its_own_phase() -> None:
    """The mean of two phases rises at the edge of one by half as much."""
    random = np.random.default_rng(0)
    second = np.arange(200) < 80
    spectra = 2000 + 2000 * second[:, np.newaxis] * (ENERGY > 60)
    counts = random.poisson(spectra).reshape(10, 20, 120).astype(np.float32)
    for place, channel in (((2, 7), 60), ((7, 3), 61)):
        struck = counts.copy()
        struck[(*place, channel)] += 3000
        hits, repaired = find_hits(struck)
        assert np.argwhere(hits.pixels).tolist() == [list(place)]
        assert np.abs(repaired[place] / counts[place] - 1).max() < 0.12
