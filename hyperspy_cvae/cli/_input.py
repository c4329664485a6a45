"""Files on the command line, and the signals in them."""

from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import Any


def find_files(names: Sequence[str]) -> list[Path]:
    """Return the files, each once, with patterns resolved that no shell has resolved."""
    found: dict[Path, Path] = {}
    for name in names:
        matches = [name] if Path(name).exists() else sorted(glob(name)) or [name]
        for match in matches:
            found.setdefault(Path(match).resolve(), Path(match))
    return list(found.values())


def read_signals(path: Path, lazy: bool = False) -> list[Any]:
    """Return the signals of a file; EELS ones can be searched for anomalies.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read, whatever the reason.
    """
    from rsciio import IO_PLUGINS

    import hyperspy_cvae

    if not path.exists():
        raise FileNotFoundError("There is no such file: check its name.")
    known = {each.lower() for plugin in IO_PLUGINS for each in plugin["file_extensions"]}
    if path.suffix.removeprefix(".").lower() not in known:
        kind = path.suffix or "such"
        raise ValueError(
            f"The file cannot be read: HyperSpy reads no {kind} files. Give a spectrum image, as "
            ".dm4 or .hspy."
        )
    try:
        loaded = hyperspy_cvae.load(path, lazy=lazy, escape_square_brackets=True)
    except MemoryError:
        raise
    except Exception as error:
        # What a damaged file makes its reader raise can be anything.
        text = " ".join(str(error).split()) or "no reason given"
        raise ValueError(
            f"The file cannot be read ({type(error).__name__}: {text}): check that it is complete "
            "and of a format that HyperSpy reads."
        ) from error
    signals = loaded if isinstance(loaded, list) else [loaded]
    if not signals:
        raise ValueError("The file holds no signal.")
    return signals
