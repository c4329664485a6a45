"""``hyperspy-cvae info``: what a file holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hyperspy_cvae.cli._console import complain, say
from hyperspy_cvae.cli._input import find_files, read_signals
from hyperspy_cvae.modelfile import SUFFIX


def info(names: Sequence[str]) -> int:
    """Print what each file holds; return 1 if one cannot be read."""
    failures = 0
    for path in find_files(names):
        try:
            lines = _describe_model(path) if path.suffix == SUFFIX else _describe_data(path)
        except Exception as error:
            complain(error, str(path))
            failures += 1
        else:
            say("\n".join([str(path), *(f"  {line}" for line in lines)]))
    return int(failures > 0)


def _describe_model(path: Path) -> list[str]:
    from hyperspy_cvae.reconstruction import CVAE

    description = CVAE.load(path, device="cpu").describe()
    width = max(map(len, description))
    return [
        "Trained CVAE",
        *(f"  {name:<{width}}  {_plain(value)}" for name, value in description.items()),
    ]


def _describe_data(path: Path) -> list[str]:
    lines = []
    for signal in read_signals(path, lazy=True):
        title = signal.metadata.General.title or "untitled"
        navigation, spectra = (
            " x ".join(str(size) for size in reversed(shape))
            for shape in (signal.axes_manager.navigation_shape, signal.axes_manager.signal_shape)
        )
        lines.append(f"{title}: {type(signal).__name__}, {signal.data.dtype}")
        lines.append(f"  navigation {navigation or 'none'}, signal {spectra or 'none'}")
        lines.extend(f"  {_describe_axis(axis)}" for axis in signal.axes_manager._axes)
    return lines


def _describe_axis(axis: Any) -> str:
    name = str(axis.name) if axis.name and "undefined" not in str(axis.name) else "unnamed"
    units = f" {axis.units}" if axis.units and "undefined" not in str(axis.units) else ""
    kind = "navigation" if axis.navigate else "signal"
    text = f"{name} ({kind}): {axis.size} from {axis.low_value:g} to {axis.high_value:g}{units}"
    return f"{text}, step {axis.scale:g}{units}" if axis.is_uniform else f"{text}, uneven"


def _plain(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)
