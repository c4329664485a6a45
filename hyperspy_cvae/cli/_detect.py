"""``hyperspy-cvae detect``: anomaly maps of files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import matplotlib.pyplot as plt
import numpy as np

from hyperspy_cvae._version import __version__
from hyperspy_cvae.cli._console import complain, say, sentence, show_progress
from hyperspy_cvae.cli._input import find_files, read_signals
from hyperspy_cvae.cli._output import (
    check_free,
    complete_or_not,
    result_names,
    untaken,
    write_page,
)

if TYPE_CHECKING:
    from hyperspy_cvae.detection import Score
    from hyperspy_cvae.reconstruction import CVAE
    from hyperspy_cvae.signals import EELSAnomalySignal
    from hyperspy_cvae.signals._eels_anomaly import Method

PAGE = "summary.html"


@dataclass(frozen=True)
class Settings:
    """How files are searched.

    Parameters
    ----------
    signal_range
        Energy range to judge, in the units of the energy axis; all of it if None.
    method
        What reconstructs the bulk.
    n_components
        Components of PCA.
    score
        What spectra are compared by.
    threshold
        What makes a pixel anomalous: ``"auto"``, ``"otsu"`` or a limit on the score.
    seed
        Seed of all that is random.
    epochs
        Epochs of training; the package's default if None.
    save_model
        Whether to write each trained model.
    """

    signal_range: tuple[float, float] | None = None
    method: "Method" = "auto"
    n_components: int = 4
    score: "Score" = "combined"
    threshold: Literal["auto", "otsu"] | float = "auto"
    seed: int = 0
    epochs: int | None = None
    save_model: bool = False


@dataclass(frozen=True)
class Result:
    """A line of the summary: what was found in one spectrum image, or why nothing could be."""

    source: str
    title: str = ""
    name: str = ""
    pixels: int = 0
    judged: int = 0
    anomalous: int = 0
    regions: int = 0
    threshold: float = np.nan
    accepted: bool = False
    reason: str = ""
    signal_range: str = ""
    model: str = ""
    error: str = ""


def detect(
    names: Sequence[str],
    folder: Path,
    settings: Settings,
    model_path: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Search every spectrum image of every file; return 1 if one failed.

    Raises
    ------
    FileExistsError
        If the summary exists and may not be replaced.
    hyperspy_cvae.modelfile.ModelFileError
        If the model cannot be used.
    """
    check_free(folder, [PAGE], overwrite)
    model = _load_model(model_path) if model_path else None
    paths = find_files(names)
    results: list[Result] = []
    bases = result_names(paths)
    taken = {base.casefold() for base in bases}
    for path, base in zip(paths, bases, strict=True):
        try:
            signals = _spectrum_images(path)
        except Exception as error:
            complain(error, str(path))
            results.append(Result(str(path), error=sentence(error)))
            continue
        for number, signal in enumerate(signals, start=1):
            name = base if len(signals) == 1 else untaken(f"{base}-{number}", taken)
            title = str(signal.metadata.General.title)
            label = str(path) if len(signals) == 1 else f"{path} ({title or number})"
            try:
                results.append(_search(signal, label, name, folder, settings, model, overwrite))
            except Exception as error:
                complain(error, label)
                results.append(Result(label, title, error=sentence(error)))
            finally:
                plt.close("all")
    failures = sum(bool(result.error) for result in results)
    if failures < len(results):
        with complete_or_not(folder, overwrite) as draft:
            write_page(
                draft / PAGE,
                "detect.html",
                results=results,
                settings=settings,
                model=model_path.name if model_path else "",
                version=__version__,
            )
        say(f"Summary: {folder / PAGE}")
    if failures and len(results) > 1:
        complain(f"{failures} of {len(results)} spectrum images failed.")
    return int(failures > 0)


def trained(signal: "EELSAnomalySignal", epochs: int | None, seed: int) -> "CVAE":
    """Train a CVAE; an interruption is not the end of training but of the command."""
    model = signal.train_cvae(epochs=epochs, seed=seed, show_progressbar=show_progress())
    refuse_interrupted(model)
    return model


def refuse_interrupted(model: "CVAE | None") -> None:
    """Raise the interruption that has ended a training."""
    if model is not None and model.history is not None and model.history.stopped == "interrupted":
        raise KeyboardInterrupt


def _load_model(path: Path) -> "CVAE":
    from hyperspy_cvae.reconstruction import CVAE

    return CVAE.load(path)


def _spectrum_images(path: Path) -> "list[EELSAnomalySignal]":
    from hyperspy_cvae.signals import EELSAnomalySignal

    signals = read_signals(path)
    found = [signal for signal in signals if isinstance(signal, EELSAnomalySignal)]
    if not found:
        kinds = ", ".join(type(signal).__name__ for signal in signals)
        raise ValueError(
            f"The file holds no EELS signal, only {kinds}: if it is EELS, load it in HyperSpy, "
            "call set_signal_type('EELS') and save it under another name."
        )
    for signal in signals:
        if not isinstance(signal, EELSAnomalySignal):
            title = str(signal.metadata.General.title) or "untitled"
            say(f"{path}: {title} ({type(signal).__name__}) is no EELS signal and is left out.")
    return found


def _search(
    signal: "EELSAnomalySignal",
    label: str,
    name: str,
    folder: Path,
    settings: Settings,
    model: "CVAE | None",
    overwrite: bool,
) -> Result:
    """Search one spectrum image and write its maps."""
    model_name = f"{name}.safetensors" if settings.save_model else ""
    expected = [f"{name}{end}" for end in ("-pcc.hspy", "-mask.hspy", "-regions.csv", ".png")]
    if settings.score != "pcc":
        expected.append(f"{name}-{settings.score}.hspy")
    check_free(folder, [*expected, *filter(None, [model_name])], overwrite)
    progress = show_progress()
    asked = settings.method == "auto" and (settings.epochs or settings.save_model)
    if model is None and (settings.method == "cvae" or asked):
        say(f"{label}: training ...")
        model = trained(signal, settings.epochs, settings.seed)
    found = signal.detect_anomalies(
        settings.signal_range,
        method=settings.method,
        score=settings.score,
        threshold=settings.threshold,
        n_components=settings.n_components,
        model=model,
        seed=settings.seed,
        show_progressbar=progress,
    )
    if model is None:
        refuse_interrupted(signal._trained_cvae())
    with complete_or_not(folder, overwrite) as draft:
        found.save(draft, name)
        if model_name and model is not None:
            model.save(draft / model_name)
    pcc = np.asarray(found.pcc.data)
    low, high = found.signal_range
    result = Result(
        source=label,
        title=str(signal.metadata.General.title),
        name=name,
        pixels=pcc.size,
        judged=int(np.isfinite(pcc).sum()),
        anomalous=int(np.count_nonzero(found.mask.data)),
        regions=len(found.regions),
        threshold=found.threshold.value,
        accepted=not found.threshold.unimodal,
        reason=found.threshold.reason,
        signal_range=f"{low:g}-{high:g} {found.units}".strip(),
        model=model_name,
    )
    say(
        f"{label}: {result.anomalous} of {result.judged} judged pixels are anomalous in "
        f"{result.signal_range}. {result.reason}"
    )
    return result
