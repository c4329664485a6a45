"""Write spectrum images and images as Gatan DigitalMicrograph 4 files.

A file is a header and one tree of tags. All that describes the tree (names, sizes, types) is
big-endian, all values are little-endian. The tree holds what DigitalMicrograph itself stores of
the images, but of the layout on its screen only which images to show.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# What precedes a tag: it holds other tags, or it holds a value.
GROUP, VALUE = 20, 21
# How a value is encoded.
UINT16, UINT32, FLOAT32, BOOL, ARRAY = 4, 5, 6, 8, 20

# The type of the numbers of an image: as an image calls it, as an array of a tag calls it.
NUMBERS = {
    "int16": (1, 2),
    "int32": (7, 3),
    "uint16": (10, UINT16),
    "uint32": (11, UINT32),
    "float32": (2, FLOAT32),
    "float64": (12, 7),
    "uint8": (6, 10),
}
RGB = 23


@dataclass(frozen=True)
class DMAxis:
    """The calibration of one axis; the file keeps it in single precision."""

    scale: float = 1.0
    offset: float = 0.0
    units: str = ""


@dataclass(frozen=True)
class DMImage:
    """One image or spectrum image of a file.

    Parameters
    ----------
    data : numpy.ndarray
        The numbers, (rows, columns) or (rows, columns, energy).
    name : str
        The title.
    axes : tuple of DMAxis
        One for each axis of `data`, in the same order.
    signal : str, optional
        What a spectrum image recorded. Without it, nothing in the file says that it is EELS.
    beam_energy : float
        Beam energy in keV.
    """

    data: np.ndarray
    name: str
    axes: tuple[DMAxis, ...]
    signal: str | None = None
    beam_energy: float = 200.0


def write_dm4(path: Path, images: Sequence[DMImage]) -> None:
    """Write images to a DigitalMicrograph 4 file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    images : sequence of DMImage
        What it holds, in order, after the thumbnail that every such file begins with.
    """
    shown = range(1, len(images) + 1)
    root = _group(
        {
            "DocumentObjectList": [
                {"AnnotationType": 20, "ImageDisplayType": 1, "ImageSource": source}
                for source in range(len(images))
            ],
            "ImageList": [_thumbnail(), *(_image(image) for image in images)],
            "ImageSourceList": [
                {"ClassName": "ImageSource:Simple", "Id": [source], "ImageRef": image}
                for source, image in enumerate(shown)
            ],
            "InImageMode": True,
            "Thumbnails": [{"ImageIndex": 0}],
        }
    )
    # The size counts neither the 16 bytes of the header nor the 8 zeros that end the file.
    path.write_bytes(struct.pack(">IqI", 4, len(root), 1) + root + bytes(8))


def _image(image: DMImage) -> dict[str, Any]:
    """Return the tags of an image."""
    tags: dict[str, Any] = {
        "Microscope Info": {
            "Illumination Mode": "STEM",
            "Name": "Simulated",
            "Voltage": 1e3 * image.beam_energy,
        }
    }
    data, axes = image.data, list(image.axes)
    if data.ndim == 3:
        tags["Meta Data"] = {"Format": "Spectrum image"}
        if image.signal is not None:
            tags["Meta Data"]["Signal"] = image.signal
        # A spectrum image lies in the file as one map after the other, one per channel.
        data, axes = np.moveaxis(data, -1, 0), [axes[-1], *axes[:-1]]
    number, _ = NUMBERS[data.dtype.name]
    return {
        "ImageData": _image_data(data, axes, number),
        "ImageTags": tags,
        "Name": image.name,
    }


def _thumbnail() -> dict[str, Any]:
    """Return the tags of a black thumbnail; readers leave it out."""
    pixels = np.zeros((4, 4), "int32")
    return {
        "ImageData": _image_data(pixels, [DMAxis(), DMAxis()], RGB),
        "ImageTags": {},
        "Name": "Thumbnail",
    }


def _image_data(data: np.ndarray, axes: Sequence[DMAxis], number: int) -> dict[str, Any]:
    """Return the tags of the numbers of an image, whose last axis varies fastest."""
    return {
        "Calibrations": {
            "Brightness": {"Origin": 0.0, "Scale": 1.0, "Units": ""},
            # DigitalMicrograph counts axes from the fastest, and its origin is the channel that
            # the value zero falls on.
            "Dimension": [
                {"Origin": -axis.offset / axis.scale, "Scale": axis.scale, "Units": axis.units}
                for axis in reversed(axes)
            ],
            "DisplayCalibratedUnits": True,
        },
        "Data": data,
        "DataType": number,
        "Dimensions": list(reversed(data.shape)),
        "PixelDepth": data.dtype.itemsize,
    }


def _group(tags: dict[str, Any] | list[Any]) -> bytes:
    """Encode a group: a dictionary as named tags, a list as tags without names."""
    if isinstance(tags, dict):
        # The group says that it is sorted, so that names can be looked up by bisection.
        items = sorted(tags.items(), key=lambda item: item[0].lower())
    else:
        items = [("", value) for value in tags]
    head = struct.pack(">??q", isinstance(tags, dict), False, len(items))
    return head + b"".join(_tag(name, value) for name, value in items)


def _tag(name: str, value: Any) -> bytes:
    """Encode one tag, be it a group or a value."""
    if isinstance(value, (dict, list)):
        kind, content = GROUP, _group(value)
    else:
        encoding, raw = _value(value)
        kind = VALUE
        content = b"%%%%" + struct.pack(f">{1 + len(encoding)}q", len(encoding), *encoding) + raw
    label = name.encode()
    return struct.pack(f">BH{len(label)}sq", kind, len(label), label, len(content)) + content


def _value(value: bool | int | float | str | np.ndarray) -> tuple[list[int], bytes]:
    """Return how a value is encoded, and its bytes."""
    if isinstance(value, bool):
        return [BOOL], struct.pack("<?", value)
    if isinstance(value, int):
        return [UINT32], struct.pack("<I", value)
    if isinstance(value, float):
        return [FLOAT32], struct.pack("<f", value)
    if isinstance(value, str):
        raw = value.encode("utf-16-le")
        return [ARRAY, UINT16, len(raw) // 2], raw
    _, number = NUMBERS[value.dtype.name]
    return [ARRAY, number, value.size], value.astype(value.dtype.newbyteorder("<")).tobytes()
