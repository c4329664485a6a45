"""The DigitalMicrograph files that the tests write: HyperSpy loads them as recorded ones."""

import struct
from pathlib import Path

import hyperspy.api as hs
import numpy as np
import pytest
from dm4 import GROUP, DMAxis, DMImage, write_dm4
from exspy.signals import EELSSpectrum, LazyEELSSpectrum
from hyperspy.signals import Signal1D, Signal2D

from hyperspy_cvae.signals import EELSAnomalySignal, LazyEELSAnomalySignal

DTYPES = ["uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]
ROWS = DMAxis(0.5, -1.5, "nm")
COLUMNS = DMAxis(0.25, 3.0, "nm")
ENERGY = DMAxis(0.75, 420.0, "eV")


def spectrum_image(dtype: str = "uint16", signal: str | None = "EELS") -> DMImage:
    # No two axes are of one size, and no two numbers are the same.
    data = np.arange(3 * 4 * 17).reshape(3, 4, 17).astype(dtype)
    return DMImage(data, "Oxide", (ROWS, COLUMNS, ENERGY), signal, beam_energy=80.0)


def survey_image() -> DMImage:
    data = np.random.default_rng(5).normal(size=(6, 9)).astype("float32")
    return DMImage(data, "HAADF", (ROWS, COLUMNS))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "spectrum image.dm4"
    write_dm4(path, [spectrum_image()])
    return path


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lazy", [False, True])
def test_numbers(tmp_path: Path, dtype: str, lazy: bool) -> None:
    written = spectrum_image(dtype).data
    path = tmp_path / "numbers.dm4"
    write_dm4(path, [spectrum_image(dtype)])
    data = np.asarray(hs.load(path, lazy=lazy).data)
    assert data.dtype == dtype
    np.testing.assert_array_equal(data, written)


def test_byte_order_and_layout_in_memory(tmp_path: Path) -> None:
    written = spectrum_image().data
    image = DMImage(np.asfortranarray(written.astype(">u2")), "Oxide", (ROWS, COLUMNS, ENERGY))
    path = tmp_path / "swapped.dm4"
    write_dm4(path, [image])
    np.testing.assert_array_equal(hs.load(path).data, written)


@pytest.mark.parametrize(
    ("arguments", "kind", "signal_type"),
    [
        ({}, EELSSpectrum, "EELS"),
        ({"lazy": True}, LazyEELSSpectrum, "EELS"),
        ({"signal_type": "EELSAnomaly"}, EELSAnomalySignal, "EELSAnomaly"),
        ({"signal_type": "EELSAnomaly", "lazy": True}, LazyEELSAnomalySignal, "EELSAnomaly"),
    ],
)
def test_class(path: Path, arguments: dict, kind: type, signal_type: str) -> None:
    loaded = hs.load(path, **arguments)
    assert loaded.metadata.Signal.signal_type == signal_type
    assert loaded.axes_manager.navigation_shape == (4, 3)
    assert loaded.axes_manager.signal_shape == (17,)
    assert type(loaded) is kind


@pytest.mark.parametrize(
    ("index", "name", "written"),
    [(0, "y", ROWS), (1, "x", COLUMNS), (2, "Energy loss", ENERGY)],
)
def test_axes(path: Path, index: int, name: str, written: DMAxis) -> None:
    axis = hs.load(path).axes_manager._axes[index]
    assert axis.name == name
    # These scales and offsets are exact in single precision.
    assert (axis.scale, axis.offset, axis.units) == (written.scale, written.offset, written.units)


def test_metadata(path: Path) -> None:
    metadata = hs.load(path).metadata
    assert metadata.General.title == "Oxide"
    assert metadata.Acquisition_instrument.TEM.beam_energy == 80.0
    assert metadata.Acquisition_instrument.TEM.acquisition_mode == "STEM"


def test_survey_image_and_spectrum_image(tmp_path: Path) -> None:
    path = tmp_path / "both.dm4"
    write_dm4(path, [survey_image(), spectrum_image()])
    survey, spectra = hs.load(path)
    assert type(survey) is Signal2D
    assert survey.metadata.General.title == "HAADF"
    np.testing.assert_array_equal(survey.data, survey_image().data)
    assert type(spectra) is EELSSpectrum
    np.testing.assert_array_equal(spectra.data, spectrum_image().data)


def test_without_signal(tmp_path: Path) -> None:
    path = tmp_path / "unknown.dm4"
    write_dm4(path, [spectrum_image(signal=None)])
    loaded = hs.load(path)
    assert type(loaded) is Signal1D
    assert type(hs.load(path, signal_type="EELSAnomaly")) is EELSAnomalySignal


def test_sizes_of_the_tags(path: Path) -> None:
    """Other readers than HyperSpy's go by the sizes in the file."""
    data = path.read_bytes()
    version, size, little_endian = struct.unpack_from(">IqI", data)
    assert (version, size, little_endian) == (4, len(data) - 24, 1)
    assert end_of_group(data, 16) == len(data) - 8


def end_of_group(data: bytes, start: int) -> int:
    """Return where a group of tags ends, each of which must end where its size says."""
    _, count = struct.unpack_from(">hq", data, start)
    position = start + 10
    for _ in range(count):
        kind, length = struct.unpack_from(">BH", data, position)
        (size,) = struct.unpack_from(">q", data, position + 3 + length)
        content = position + 11 + length
        position = content + size
        if kind == GROUP:
            assert end_of_group(data, content) == position
        else:
            assert data[content : content + 4] == b"%%%%"
    return position
