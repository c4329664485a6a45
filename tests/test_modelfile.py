"""Model files: exact round trips, and one clear sentence for whatever is no intact model."""

import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from hyperspy_cvae import modelfile
from hyperspy_cvae.modelfile import ModelFileError

DESCRIPTION = {"network": "compact", "shape": [24, 24, 64], "beta": 1.2, "label": "Fe L₂,₃"}


def model_arrays() -> modelfile.Arrays:
    rng = np.random.default_rng(3)
    return {
        "encoder.weight": rng.normal(size=(4, 3, 2)).astype("float32"),
        "energy": np.linspace(420, 813, 7),
        "steps": np.array(12, dtype="int64"),
        "kept": rng.random(5) > 0.5,
        "empty": np.zeros((0, 3), "uint16"),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    modelfile.write(path, model_arrays(), DESCRIPTION)
    return path


def raw(header: Any, numbers: bytes = b"") -> bytes:
    """Bytes in the layout of safetensors with an arbitrary header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def with_header(data: bytes, edit: Any) -> bytes:
    """Return the bytes of a model with its header edited in place."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    entry = json.loads(header["__metadata__"]["hyperspy_cvae"])
    edit(header, entry)
    if "__metadata__" in header:
        header["__metadata__"]["hyperspy_cvae"] = json.dumps(entry)
    return raw(header, data[8 + size :])


def test_round_trip(path: Path) -> None:
    arrays, description = modelfile.read(path)
    assert description == DESCRIPTION
    assert arrays.keys() == model_arrays().keys()
    for name, array in model_arrays().items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        assert arrays[name].flags.writeable
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.parametrize("dtype", sorted(set(modelfile._DTYPES.values())))
def test_every_dtype(dtype: str) -> None:
    array = np.array([[0, 1], [1, 0]], dtype=dtype)
    arrays, _ = modelfile.from_bytes(modelfile.to_bytes({"a": array}, {}))
    assert arrays["a"].dtype == dtype
    np.testing.assert_array_equal(arrays["a"], array)


def test_same_model_gives_same_bytes() -> None:
    data = modelfile.to_bytes(model_arrays(), DESCRIPTION)
    assert all(modelfile.to_bytes(model_arrays(), DESCRIPTION) == data for _ in range(8))
    arrays, description = modelfile.from_bytes(data)
    assert modelfile.to_bytes(arrays, description) == data


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.arange(12.0)[::-2],
        np.arange(12, dtype=">f4").reshape(3, 4),
        np.asfortranarray(np.arange(12, dtype=">i2").reshape(3, 4)),
    ],
)
def test_any_memory_layout(array: np.ndarray) -> None:
    arrays, _ = modelfile.from_bytes(modelfile.to_bytes({"a": array}, {}))
    assert arrays["a"].dtype.isnative
    assert arrays["a"].flags.c_contiguous
    np.testing.assert_array_equal(arrays["a"], array)


def test_not_finite_arrays_survive() -> None:
    array = np.array([np.nan, np.inf, -np.inf])
    arrays, _ = modelfile.from_bytes(modelfile.to_bytes({"a": array}, {}))
    np.testing.assert_array_equal(arrays["a"], array)


def test_overwrite_only_when_asked(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        modelfile.write(path, {}, {})
    assert path.read_bytes() == before
    modelfile.write(path, {}, {"second": True}, overwrite=True)
    assert modelfile.read(path) == ({}, {"second": True})


def test_nothing_half_done(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError("disk full")

    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        modelfile.write(path, {"a": np.zeros(9)}, {}, overwrite=True)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_write_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"name it 'model\.safetensors'"):
        modelfile.write(tmp_path / "model.pt", {}, {})
    with pytest.raises(FileNotFoundError, match="folder"):
        modelfile.write(tmp_path / "no" / "model.safetensors", {}, {})
    path = tmp_path / "model.safetensors"
    for array in (np.array(["a"]), np.array([{}]), np.zeros(2, "complex128")):
        with pytest.raises(ValueError, match=r"arrays\['a'\] is of dtype"):
            modelfile.write(path, {"a": array}, {})
    with pytest.raises(ValueError, match="rename"):
        modelfile.write(path, {"__metadata__": np.zeros(1)}, {})
    for value in (np.zeros(2), float("nan"), np.float32(1), "long" * 3_000_000):
        with pytest.raises(ValueError, match="into arrays"):
            modelfile.write(path, {}, {"key": value})
    assert list(tmp_path.iterdir()) == []


def refused(path: Path, data: bytes) -> str:
    """Write the bytes, return the one sentence with which they are refused."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError) as info:
            modelfile.read(path)
        allocated = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    with pytest.raises(ModelFileError):
        modelfile.from_bytes(data)
    message = str(info.value)
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")
    assert allocated < 2e6 + 40 * len(data)
    return message


def test_truncated_anywhere(path: Path) -> None:
    data = path.read_bytes()
    for size in (0, 1, 7, 8, 40, len(data) - 200, len(data) - 1):
        assert re.search("not an intact model|not a model", refused(path, data[:size]))
    assert "cut short" in refused(path, data[:-1])
    assert "longer" in refused(path, data + b"0")
    assert "empty" in refused(path, b"")


@pytest.mark.parametrize(
    "data",
    [
        save({"a": np.zeros(3)}),
        save({"a": np.zeros(3)}, {"hyperspy_cvae": "{}"}),
        save({"a": np.zeros(3)}, {"format": "pt"}),
        b"\x89HDF\r\n\x1a\n" + bytes(2000),
        b"PK\x03\x04" + bytes(2000),
        b"A text file that has nothing to do with it.\n" * 40,
        b"short",
        b"\xff" * 64,
        (2**63).to_bytes(8, "little") + b"{}",
        raw(b"[" * 200_000),
        raw(b"null"),
        raw(b"[]"),
        raw(b"not JSON"),
        raw(b"\xff\xfe\x00"),
        raw({}),
        raw({"__metadata__": None}),
        raw({"__metadata__": {"hyperspy_cvae": 3}}),
        raw({"__metadata__": {"hyperspy_cvae": '"text"'}}),
    ],
)
def test_foreign(path: Path, data: bytes) -> None:
    assert "is not a model of hyperspy_cvae" in refused(path, data)


def test_real_hspy_file(tmp_path: Path) -> None:
    hs = pytest.importorskip("hyperspy.api")
    path = tmp_path / "signal.hspy"
    hs.signals.Signal1D(np.arange(4.0)).save(path)
    with pytest.raises(ModelFileError, match=r"hs\.load"):
        modelfile.read(path)


def test_tampered(path: Path) -> None:
    data = path.read_bytes()
    numbers = bytearray(data)
    numbers[-1] ^= 1
    assert "checksum" in refused(path, bytes(numbers))
    edits = [
        lambda header, entry: entry["description"].update(beta=1.3),
        lambda header, entry: header.update(renamed=header.pop("energy")),
        lambda header, entry: header["encoder.weight"].update(shape=[4, 2, 3]),
        lambda header, entry: header["encoder.weight"].update(dtype="I32"),
        lambda header, entry: entry.update(sha256=""),
        lambda header, entry: entry.pop("sha256"),
    ]
    for edit in edits:
        assert re.search("checksum|sha256|header", refused(path, with_header(data, edit)))


def test_malformed_entries(path: Path) -> None:
    data = path.read_bytes()
    edits = [
        lambda header, entry: entry.pop("description"),
        lambda header, entry: entry.update(description=[]),
        lambda header, entry: entry.update(version="1"),
        lambda header, entry: entry.pop("version"),
        lambda header, entry: entry.update(version=0),
        lambda header, entry: header["energy"].update(dtype="BF16"),
        lambda header, entry: header["energy"].update(dtype="O"),
        lambda header, entry: header["energy"].update(dtype=["F32"]),
        lambda header, entry: header["energy"].update(shape=[2**40, 2**40]),
        lambda header, entry: header["energy"].update(shape=[-7]),
        lambda header, entry: header["energy"].update(data_offsets=[0, 2**60]),
        lambda header, entry: header["energy"].update(data_offsets=[-8, 0]),
        lambda header, entry: header["energy"].update(data_offsets="all"),
        lambda header, entry: header.update(energy=None),
    ]
    for edit in edits:
        assert "not an intact model" in refused(path, with_header(data, edit))


def test_newer_version(path: Path) -> None:
    data = with_header(path.read_bytes(), lambda header, entry: entry.update(version=2))
    assert refused(path, data).endswith("version 1: update hyperspy_cvae.")


def test_neither_file_nor_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="is a folder"):
        modelfile.read(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no model file .*absent\.safetensors"):
        modelfile.read(tmp_path / "absent.safetensors")
