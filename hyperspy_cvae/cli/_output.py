"""Folders of results: their names, and files that appear complete or not at all."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def check_free(folder: Path, names: Iterable[str], overwrite: bool) -> None:
    """Raise FileExistsError if one of the files exists and may not be replaced."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{str(folder)!r} is a file: pass --output with a folder.")
    for name in () if overwrite else names:
        if (folder / name).exists():
            raise FileExistsError(
                f"{str(folder / name)!r} exists already: pass --overwrite to replace it, or "
                "--output with another folder."
            )


@contextmanager
def complete_or_not(folder: Path, overwrite: bool) -> Iterator[Path]:
    """Yield an empty folder whose files move to ``folder`` if the block ends without an error."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(prefix=".unfinished-", dir=folder) as name:
            draft = Path(name)
            yield draft
            files = sorted(draft.iterdir())
            check_free(folder, [file.name for file in files], overwrite)
            for file in files:
                os.replace(file, folder / file.name)
    except BaseException:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise


def result_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for the results of each file: its own, and more where that is not unique.

    Upper and lower case are taken for the same, as some file systems do.

    Examples
    --------
    >>> result_names([Path("a/SI.dm4"), Path("b/SI.dm4"), Path("line.dm4"), Path("line.hspy")])
    ['a-SI', 'b-SI', 'line-dm4', 'line-hspy']
    """
    candidates = [
        (path.stem, f"{path.absolute().parent.name}-{path.stem}", f"{path.stem}-{path.suffix[1:]}")
        for path in paths
    ]
    counts = [Counter(name.casefold() for name in names) for names in zip(*candidates, strict=True)]
    taken: set[str] = set()
    names = []
    for options in candidates:
        unique = (
            name
            for name, count in zip(options, counts, strict=True)
            if count[name.casefold()] == 1 and name.casefold() not in taken
        )
        names.append(untaken(next(unique, options[0]), taken))
    return names


def untaken(name: str, taken: set[str]) -> str:
    """Return the name, with a number if it is taken, and take it."""
    numbered, number = name, 1
    while numbered.casefold() in taken:
        number += 1
        numbered = f"{name}-{number}"
    taken.add(numbered.casefold())
    return numbered


def write_page(path: Path, template: str, **content: Any) -> None:
    """Write a page from one of the templates of this package."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hyperspy_cvae.cli"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    path.write_text(environment.get_template(template).render(content), encoding="utf-8")
