"""One safe file per trained model: named arrays and a JSON description of them.

The container is `safetensors <https://huggingface.co/docs/safetensors>`_: a JSON header and raw
numbers, so that reading a file from a stranger executes nothing. Its header holds one entry of
ours, ``hyperspy_cvae``: the name and version of this format, the description, and a SHA-256 over
description and arrays, so that a damaged file is found before a wrong map is made with it.
"""

import hashlib
import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

FORMAT = "hyperspy_cvae model"
VERSION = 1
SUFFIX = ".safetensors"

# One entry rather than several: safetensors writes several in random order, and the same model is
# to give the same bytes.
_ENTRY = "hyperspy_cvae"
_LARGEST_HEADER = 16 * 2**20
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
}
_RESTORE = "copy the file again from its source, or train the model and save it again"

Arrays = dict[str, NDArray[Any]]


class ModelFileError(ValueError):
    """A file or block of bytes that is no intact model of this package."""


def write(
    path: str | os.PathLike[str],
    arrays: Arrays,
    description: dict[str, Any],
    overwrite: bool = False,
) -> None:
    """Write one trained model to one file.

    The file appears complete or not at all: it is written beside its destination and then renamed.

    Parameters
    ----------
    path
        Name of the file, ending in ``.safetensors``.
    arrays
        The model's arrays by name: real numbers or booleans of any shape, memory order and byte
        order.
    description
        All else the model needs, as JSON knows it: tuples come back as lists, keys as strings.
    overwrite
        Whether to replace a file of that name.

    Raises
    ------
    ValueError
        If the suffix is another one, or an array or the description cannot be stored.
    FileExistsError
        If the file exists and ``overwrite`` is False.
    FileNotFoundError
        If the folder does not exist.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "model.safetensors"
    >>> write(path, {"mean": np.ones(3, "float32")}, {"network": "compact"})
    >>> read(path)
    ({'mean': array([1., 1., 1.], dtype=float32)}, {'network': 'compact'})
    >>> folder.cleanup()
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ValueError(
            f"path {str(path)!r} ends in {path.suffix!r}, but a model file ends in {SUFFIX!r}: "
            f"name it {path.stem + SUFFIX!r}."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"The folder of {str(path)!r} does not exist: create it, or save somewhere else."
        )
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{str(path)!r} exists already: pass overwrite=True to replace it, or save under "
            "another name."
        )
    data = to_bytes(arrays, description)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read(path: str | os.PathLike[str]) -> tuple[Arrays, dict[str, Any]]:
    """Read what :func:`write` has written.

    Whether the file is a model is judged from its header, before the rest of it is read.

    Parameters
    ----------
    path
        Name of the file.

    Returns
    -------
    arrays, description
        Writable arrays in the machine's byte order, and the description.

    Raises
    ------
    ModelFileError
        If the file is not a model, was damaged or changed, or needs a newer version.
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path)
    if path.is_dir():
        raise ModelFileError(
            f"{str(path)!r} is a folder, not a model file: give the name of a {SUFFIX} file in it."
        )
    if not path.exists():
        raise FileNotFoundError(
            f"There is no model file {str(path)!r}: check the name, or train a model and save it."
        )
    with path.open("rb") as file:
        return _read(file, path.stat().st_size, repr(str(path)))


def to_bytes(arrays: Arrays, description: dict[str, Any]) -> bytes:
    """Return a model as the bytes of its file; see :func:`write`.

    The same model gives the same bytes.
    """
    arrays = {name: _storable(name, array) for name, array in arrays.items()}
    try:
        text = json.dumps(description, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"description cannot be stored as JSON ({error}): use dicts, lists, strings, booleans, "
            "None and finite Python numbers, and put arrays into arrays."
        ) from error
    if len(text) > _LARGEST_HEADER // 2:
        raise ValueError(
            f"description is {len(text)} characters long, but at most {_LARGEST_HEADER // 2} can "
            "be stored: put long lists of numbers into arrays."
        )
    description = json.loads(text)
    entry = {
        "format": FORMAT,
        "version": VERSION,
        "sha256": _digest(arrays, description),
        "description": description,
    }
    return save(arrays, {_ENTRY: json.dumps(entry)})


def from_bytes(data: bytes) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the description in the bytes of a model file; see :func:`read`.

    Examples
    --------
    >>> from_bytes(to_bytes({"latent": np.arange(2.0)}, {"beta": 1.2}))
    ({'latent': array([0., 1.])}, {'beta': 1.2})
    """
    return _read(BytesIO(data), len(data), "The block of bytes")


def _storable(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return the array contiguous and in native byte order, its shape unchanged."""
    array = np.asarray(array)
    if not isinstance(name, str) or name == "__metadata__":
        raise ValueError(f"arrays has the key {name!r}, but keys are names of arrays: rename it.")
    if array.dtype.name not in _DTYPES.values():
        raise ValueError(
            f"arrays[{name!r}] is of dtype {array.dtype}, but only booleans, integers and real "
            "numbers of up to 64 bits can be stored: convert it with astype."
        )
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def _digest(arrays: Arrays, description: dict[str, Any]) -> str:
    """SHA-256 of the description and of name, dtype, shape and numbers of every array."""
    names = sorted(arrays)
    table = [[name, arrays[name].dtype.name, arrays[name].shape] for name in names]
    digest = hashlib.sha256(json.dumps([description, table]).encode())
    for name in names:
        little_endian = arrays[name].dtype.newbyteorder("<")
        numbers = arrays[name].ravel().astype(little_endian, copy=False)
        digest.update(numbers.view("uint8").data)
    return digest.hexdigest()


def _read(file: BinaryIO, size: int, name: str) -> tuple[Arrays, dict[str, Any]]:
    header_size, header = _read_header(file, size, name)
    entry = _read_entry(header, name)
    end = _check_tensors(header, name)
    if size != 8 + header_size + end:
        found = "cut short" if size < 8 + header_size + end else "longer than its header says"
        _damaged(name, f"it is {found}, {size} instead of {8 + header_size + end} bytes")
    file.seek(0)
    try:
        arrays = load(file.read())
    except SafetensorError as error:
        _damaged(name, f"its list of arrays is inconsistent: {error}")
    arrays = {key: np.require(array, requirements=["W"]) for key, array in arrays.items()}
    if _digest(arrays, entry["description"]) != entry.get("sha256"):
        _damaged(name, "its content does not match its checksum")
    return arrays, entry["description"]


def _read_header(file: BinaryIO, size: int, name: str) -> tuple[int, dict[str, Any]]:
    """Length and content of the JSON header, read without trusting the length it claims."""
    if size == 0:
        _damaged(name, "it is empty")
    header_size = int.from_bytes(file.read(8), "little")
    if size < 8 or header_size > _LARGEST_HEADER:
        _foreign(name)
    if header_size > size - 8:
        _damaged(name, f"its header is cut short, {size - 8} instead of {header_size} bytes")
    try:
        header = json.loads(file.read(header_size))
    except (ValueError, RecursionError):
        _foreign(name)
    if not isinstance(header, dict):
        _foreign(name)
    return header_size, header


def _read_entry(header: dict[str, Any], name: str) -> dict[str, Any]:
    """Return our entry of the header: format, version, checksum and description."""
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get(_ENTRY), str):
        _foreign(name)
    try:
        entry = json.loads(metadata[_ENTRY])
    except (ValueError, RecursionError):
        _damaged(name, "its description is not JSON")
    if not isinstance(entry, dict) or entry.get("format") != FORMAT:
        _foreign(name)
    version = entry.get("version")
    if isinstance(version, int) and version > VERSION:
        raise ModelFileError(
            f"{name} is a model of format version {version}, but this hyperspy_cvae reads up to "
            f"version {VERSION}: update hyperspy_cvae."
        )
    if version != VERSION or not isinstance(entry.get("description"), dict):
        _damaged(name, "its header lacks the format version or the description")
    return entry


def _check_tensors(header: dict[str, Any], name: str) -> int:
    """Return the number of bytes of numbers that the header announces.

    Safetensors checks shapes and places; left to check are kinds of numbers that NumPy lacks, and
    that the file is as long as announced before it is read.
    """
    end = 0
    for key, tensor in header.items():
        if key == "__metadata__":
            continue
        match tensor:
            case {"dtype": str(dtype), "data_offsets": [int(), int(stop)]}:
                if dtype not in _DTYPES:
                    _damaged(name, f"array {key!r} is of the unknown dtype {dtype!r}")
                end = max(end, stop)
            case _:
                _damaged(name, f"the entry of array {key!r} is malformed")
    return end


def _foreign(name: str) -> NoReturn:
    raise ModelFileError(
        f"{name} is not a model of hyperspy_cvae: give a {SUFFIX} file that hyperspy_cvae has "
        "written; spectrum images are loaded with hs.load."
    ) from None


def _damaged(name: str, finding: str) -> NoReturn:
    raise ModelFileError(f"{name} is not an intact model, {finding}: {_RESTORE}.") from None
