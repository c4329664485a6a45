"""The command line: its arguments, and what all commands share."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from hyperspy_cvae._version import __version__
from hyperspy_cvae.cli._console import complain, quiet

_DEMO = """
Simulate a spectrum image of bismuth ferrite in which the Fe L2,3 edge of four discs lies 3.9 eV
higher, search it with the CVAE and with PCA, compare both with the truth, and write figure, maps,
model and a page that explains them.
"""
_DETECT = """
Search spectrum images for anomalous pixels and write for each file the map of the Pearson
correlation (PCC) of spectra and their reconstructions, the mask of the anomalous pixels and a
picture, and one page that sums up all files. Without --model, a CVAE is trained on each.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command ``hyperspy-cvae``.

    Parameters
    ----------
    argv
        Its arguments; those of the process by default.

    Returns
    -------
    int
        0 if all went well, 1 if something failed, 130 if interrupted. As usual, a mistake in the
        arguments ends the process with status 2.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    problem = _problem(arguments)
    if problem:
        parser.error(problem)
    try:
        with quiet():
            return _run(arguments)
    except KeyboardInterrupt:
        complain("Interrupted: what was being written is left out, finished files are complete.")
        return 130
    except Exception as error:
        complain(error)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "demo":
        from hyperspy_cvae.cli._demo import demo

        return demo(arguments.output, arguments.quick, arguments.seed, arguments.overwrite)
    if arguments.command == "info":
        from hyperspy_cvae.cli._info import info

        return info(arguments.files)
    from hyperspy_cvae.cli._detect import Settings, detect

    settings = Settings(
        signal_range=tuple(arguments.signal_range) if arguments.signal_range else None,
        method=arguments.method,
        n_components=arguments.n_components or 4,
        score=arguments.score,
        threshold=arguments.threshold,
        seed=arguments.seed,
        epochs=arguments.epochs,
        save_model=arguments.save_model,
    )
    return detect(arguments.files, arguments.output, settings, arguments.model, arguments.overwrite)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hyperspy-cvae", description="Anomaly detection in EELS spectrum images."
    )
    parser.add_argument("--version", action="version", version=f"hyperspy-cvae {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo", help="show on simulated data what it finds", description=_DEMO
    )
    demo.add_argument("--quick", action="store_true", help="a smaller scan, for a first look")
    _add_shared(demo, Path("hyperspy-cvae-demo"))

    detect = commands.add_parser("detect", help="map the anomalies in files", description=_DETECT)
    detect.add_argument("files", nargs="+", metavar="FILE", help="any file that HyperSpy reads")
    detect.add_argument(
        "--signal-range",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="energy range to judge, in the units of the energy axis (default: all of it)",
    )
    detect.add_argument(
        "--method",
        choices=("auto", "cvae", "lowrank", "pca"),
        default="auto",
        help="what the bulk is learnt by (default: auto, a network where it is worth its training)",
    )
    detect.add_argument(
        "--n-components", type=_positive, metavar="N", help="components of PCA (default: 4)"
    )
    detect.add_argument(
        "--score",
        choices=("pcc", "combined"),
        default="combined",
        help="what spectra are compared by (default: combined; pcc is the published correlation)",
    )
    detect.add_argument(
        "--threshold",
        type=_threshold,
        default="auto",
        metavar="LIMIT",
        help="auto (the default), otsu as published, or a limit on the score",
    )
    detect.add_argument(
        "--epochs", type=_positive, metavar="N", help="epochs of training (default: the package's)"
    )
    detect.add_argument(
        "--model", type=Path, metavar="FILE", help="a saved model, instead of training one"
    )
    detect.add_argument(
        "--save-model", action="store_true", help="write each trained model beside its maps"
    )
    _add_shared(detect, Path("hyperspy-cvae-maps"))

    info = commands.add_parser(
        "info",
        help="say what a data file or a model file holds",
        description="Say what data files and model files (.safetensors) hold.",
    )
    info.add_argument("files", nargs="+", metavar="FILE")
    return parser


def _add_shared(parser: argparse.ArgumentParser, folder: Path) -> None:
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        default=folder,
        help=f"folder for the results (default: {folder})",
    )
    parser.add_argument(
        "--seed", type=_natural, metavar="N", default=0, help="seed of all that is random"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace results that exist already"
    )


def _problem(arguments: argparse.Namespace) -> str | None:
    """Return what is wrong with arguments that are each right, if anything."""
    if arguments.command != "detect":
        return None
    if arguments.signal_range and not arguments.signal_range[0] < arguments.signal_range[1]:
        low, high = arguments.signal_range
        return f"--signal-range {low:g} {high:g} is empty: give the lower energy first."
    method = arguments.method
    if method in ("lowrank", "pca"):
        for name in ("model", "save_model", "epochs"):
            if getattr(arguments, name):
                option = f"--{name.replace('_', '-')}"
                return f"{option} is of no use with --method {method}: leave it out."
    if method != "pca" and arguments.n_components is not None:
        return (
            f"--n-components is of no use with --method {method}: leave it out, or use "
            "--method pca."
        )
    if arguments.model and (arguments.save_model or arguments.epochs):
        return "--model takes a trained model: leave out --save-model and --epochs."
    return None


def _threshold(text: str) -> str | float:
    if text in ("auto", "otsu"):
        return text
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor otsu nor a finite number")
    return limit


def _positive(text: str) -> int:
    return _whole(text, 1)


def _natural(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return number
