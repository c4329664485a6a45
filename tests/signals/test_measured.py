"""Measured spectrum images, where they are at hand, through the whole chain."""

from pathlib import Path

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_cvae import EELSAnomalySignal, LazyEELSAnomalySignal

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "real"

# Networks trained so briefly are often no better than a mean.
pytestmark = pytest.mark.filterwarnings("ignore:the me.* explain.* this spectrum image as well")


@pytest.mark.parametrize(
    ("name", "signal_range"),
    [("oxide_layers.dm3", (520.0, 680.0)), ("BTO_vibrational.dm4", (20.0, 120.0))],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_from_file_to_saved_maps(
    name: str, signal_range: tuple[float, float], lazy: bool, tmp_path: Path
) -> None:
    if not (FOLDER / name).exists():
        pytest.skip(f"{name} is not beside the checkout, in shared/data/real")
    signal = hs.load(FOLDER / name, signal_type="EELSAnomaly", lazy=lazy)
    assert type(signal) is (LazyEELSAnomalySignal if lazy else EELSAnomalySignal)
    signal.train_cvae(epochs=4)
    for found in (
        signal.detect_anomalies(signal_range),
        signal.detect_anomalies(signal_range, method="pca", n_components=3),
    ):
        paths = found.save(tmp_path, "SI", overwrite=True)
        pcc = hs.load(paths[0])
        assert pcc.data.shape == signal.data.shape[:2]
        assert np.isfinite(pcc.data).all()
        axes = zip(pcc.axes_manager.signal_axes, signal.axes_manager.navigation_axes, strict=True)
        assert all((one.scale, one.units) == (other.scale, other.units) for one, other in axes)
    assert found.pcc.data.mean() > 0.3
    model = signal.cvae_reconstruct()
    assert model.data.shape == signal.data.shape


@pytest.mark.slow
def test_a_layer_is_found_and_named_by_what_was_trained_beside_it() -> None:
    name = "oxide_layers.dm3"
    if not (FOLDER / name).exists():
        pytest.skip(f"{name} is not beside the checkout, in shared/data/real")
    signal = hs.load(FOLDER / name, signal_type="EELSAnomaly")
    signal.add_elements(("La", "Mn", "Ti", "O"))
    beside = signal.inav[:, 31:].train_cvae()
    found = signal.detect_anomalies((820.0, 860.0), model=beside)
    rows = np.flatnonzero(found.mask.data.any(axis=1))
    assert 15 <= rows.min() <= 19
    assert 28 <= rows.max() <= 31
    assert found.mask.data[20:28].all()
    sentences = str(found.explain(1))
    assert "La M5 maximum" in sentences
    assert "La M4" in sentences  # as a maximum or as an excess: two trainings differ in that


MEASURED = FOLDER.parent / "measured"
FOUND = {
    "sic_in_sio2": 22,
    "tio2_tenth_in_srtio3": 4,
    "mantle_ferropericlase_wide": 45,
    "ca_half_on_carbon": 13,
    "null_srtio3_two_places": 0,
    "null_carbon_film": 0,
    "null_tio2_drift": 0,
}
"""Pixels that are anomalous in each; all but a few, and no others, are to be found."""


@pytest.mark.parametrize("name", FOUND)
def test_what_is_known_is_found_at_once_and_nothing_else(name: str) -> None:
    if not MEASURED.exists():
        pytest.skip("the measured spectrum images are not beside the checkout")
    signal = hs.load(MEASURED / f"{name}.hspy", signal_type="EELSAnomaly")
    found = signal.detect_anomalies()
    mask = found.mask.data.ravel()
    if FOUND[name]:
        truth = np.load(MEASURED / f"{name}_truth.npy").astype(bool).ravel()
        assert (mask & truth).sum() >= 0.9 * FOUND[name]
        assert not (mask & ~truth).any()
    else:
        assert not mask.any()
    assert found.provenance["method"].startswith("low rank (")


def test_a_hit_has_the_lowest_score_and_is_no_anomaly() -> None:
    name = "ca_fe_oxide_xray_hit"
    if not MEASURED.exists():
        pytest.skip("the measured spectrum images are not beside the checkout")
    signal = hs.load(MEASURED / f"{name}.hspy", signal_type="EELSAnomaly")
    truth = np.load(MEASURED / f"{name}_truth.npy").astype(bool).ravel()
    found = signal.detect_anomalies()
    assert found.artefacts.data[truth].all()
    assert not found.mask.data[truth].any()
    assert truth[np.argmin(found.score.data)]
    assert "X-ray hits: repaired" in str(found)
