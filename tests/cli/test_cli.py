"""The command line, from real files to maps, pages and exit statuses."""

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any, get_args

import hyperspy.api as hs
import numpy as np
import pytest
from dm4 import DMAxis, DMImage, write_dm4

from hyperspy_cvae import CVAE
from hyperspy_cvae.cli import _demo, main
from hyperspy_cvae.cli._input import find_files
from hyperspy_cvae.cli._output import result_names
from hyperspy_cvae.detection import Score
from hyperspy_cvae.phantoms import PeakShift, bifeo3
from hyperspy_cvae.signals import EELSAnomalySignal

MAPS = ("-pcc.hspy", "-combined.hspy", "-mask.hspy", "-regions.csv", ".png")
PCA = ["--method", "pca", "--n-components", "2"]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    anomaly = PeakShift(4.0, discs=1, radius=2)
    return bifeo3((16, 16), 100, offset=690, dispersion=0.6, anomaly=anomaly).signal.data


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def spectrum_image(data: np.ndarray, name: str = "Oxide", signal: str | None = "EELS") -> DMImage:
    nm, ev = DMAxis(0.5, 0.0, "nm"), DMAxis(0.6, 690.0, "eV")
    return DMImage(data, name, (nm, nm, ev), signal)


def survey() -> DMImage:
    nm = DMAxis(0.5, 0.0, "nm")
    return DMImage(np.ones((6, 9), "float32"), "HAADF", (nm, nm))


def write(path: str, *images: DMImage) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_dm4(Path(path), images)
    return path


def found(folder: str = "hyperspy-cvae-maps") -> set[str]:
    return {path.name for path in Path(folder).iterdir()} if Path(folder).exists() else set()


def results(*names: str) -> set[str]:
    return {name + end for name in names for end in MAPS} | {"summary.html"}


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["detect", "SI.dm4", "--threshold", "nan"], "neither auto nor otsu nor a finite"),
            (["detect", "SI.dm4", "--threshold", "best"], "neither auto nor otsu nor a finite"),
            ([], "required"),
            (["detect"], "required"),
            (["detect", "x.dm4", "--signal-range", "730", "690"], "lower energy first"),
            (["detect", "x.dm4", "--n-components", "3"], "no use with --method auto"),
            (["detect", "x.dm4", "--method", "pca", "--model", "m"], "no use with --method pca"),
            (["detect", "x.dm4", "--method", "pca", "--save-model"], "--save-model is of no use"),
            (["detect", "x.dm4", "--model", "m", "--epochs", "3"], "leave out"),
            (["detect", "x.dm4", "--epochs", "0"], "'0' is not a whole number of at least 1"),
            (["demo", "--seed", "-1"], "'-1' is not a whole number of at least 0"),
        ],
    )
    def test_mistakes(
        self, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
        assert message in capsys.readouterr().err

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        from hyperspy_cvae import __version__

        with pytest.raises(SystemExit) as stop:
            main(["--version"])
        assert stop.value.code == 0
        assert capsys.readouterr().out == f"hyperspy-cvae {__version__}\n"

    def test_help_imports_nothing_heavy(self) -> None:
        code = (
            "import sys\n"
            "from hyperspy_cvae.cli import main\n"
            "try:\n    main(['detect', '--help'])\n"
            "except SystemExit:\n    pass\n"
            "heavy = {'numpy', 'torch', 'hyperspy', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
            "sys.exit(f'imported {heavy}' if heavy else 0)"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        assert "--signal-range LOW HIGH" in run.stdout


class TestDetect:
    def test_dm4_with_survey_image(
        self, counts: np.ndarray, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write("oxide film [1] #2.dm4", survey(), spectrum_image(counts))
        arguments = ["--signal-range", "700", "730", "--epochs", "24", "--save-model"]
        assert main(["detect", path, *arguments]) == 0
        name = "oxide film [1] #2"
        assert found() == results(name) | {f"{name}.safetensors"}
        out, err = capsys.readouterr()
        assert "HAADF (Signal2D) is no EELS signal and is left out" in out
        assert not err
        pcc = hs.load(f"hyperspy-cvae-maps/{name}-pcc.hspy", escape_square_brackets=True)
        assert pcc.data.shape == (16, 16)
        assert [(axis.scale, axis.units) for axis in pcc.axes_manager.signal_axes] == [
            (0.5, "nm"),
            (0.5, "nm"),
        ]
        model = CVAE.load(f"hyperspy-cvae-maps/{name}.safetensors")
        assert model.describe()["epochs"] == 24
        page = Path("hyperspy-cvae-maps/summary.html").read_text(encoding="utf-8")
        assert 'src="oxide%20film%20%5B1%5D%20%232.png"' in page
        assert "699.6-730.2 eV" in page or "700.2-729.6 eV" in page

    def test_saved_model_gives_the_same_map(self, counts: np.ndarray) -> None:
        path = write("SI.dm4", spectrum_image(counts))
        assert main(["detect", path, "--epochs", "2", "--save-model", "--output", "a"]) == 0
        assert main(["detect", path, "--model", "a/SI.safetensors", "--output", "b"]) == 0
        first, second = (hs.load(f"{folder}/SI-pcc.hspy").data for folder in "ab")
        np.testing.assert_array_equal(first, second)

    def test_scores_to_choose_from_are_all_there_are(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """They are written out in the parser, so that its help imports nothing heavy."""
        with pytest.raises(SystemExit):
            main(["detect", "--help"])
        assert f"--score {{{','.join(get_args(Score))}}}" in capsys.readouterr().out

    def test_score(self, counts: np.ndarray) -> None:
        path = write("SI.dm4", spectrum_image(counts))
        published = ["--score", "pcc", "--threshold", "otsu"]
        assert main(["detect", path, "--method", "pca", *published]) == 0
        assert found() == results("SI") - {"SI-combined.hspy"}
        page = Path("hyperspy-cvae-maps/summary.html").read_text()
        assert "the Pearson correlation (PCC)" in page
        limit = ["--score", "combined", "--threshold", "-30", "--overwrite"]
        assert main(["detect", path, "--method", "pca", *limit]) == 0
        page = Path("hyperspy-cvae-maps/summary.html").read_text()
        assert 'the score "combined"' in " ".join(page.split())
        assert 'href="SI-combined.hspy"' in page
        assert "The threshold -30 was given" in page

    def test_several_spectrum_images_in_a_file(self, counts: np.ndarray) -> None:
        path = write("both.dm4", spectrum_image(counts), spectrum_image(counts[:12], "Second"))
        assert main(["detect", path, *PCA]) == 0
        assert found() == results("both-1", "both-2")
        assert hs.load("hyperspy-cvae-maps/both-2-pcc.hspy").data.shape == (12, 16)

    def test_files_of_one_name(self, counts: np.ndarray) -> None:
        first = write("a/SI.dm4", spectrum_image(counts))
        second = write("b/SI.dm4", spectrum_image(counts[:12]))
        assert main(["detect", first, second, first, *PCA]) == 0
        assert found() == results("a-SI", "b-SI")
        assert hs.load("hyperspy-cvae-maps/a-SI-pcc.hspy").data.shape == (16, 16)
        assert hs.load("hyperspy-cvae-maps/b-SI-pcc.hspy").data.shape == (12, 16)

    def test_goes_on_after_an_error(
        self, counts: np.ndarray, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("broken.dm4").write_bytes(b"\0\0\0\4" + b"no tags" * 20)
        Path("text <b>.txt").write_text("nothing")
        image = write("image.dm4", survey())
        good = write("good.dm4", spectrum_image(counts))
        files = ["absent.dm4", "broken.dm4", "text <b>.txt", image, good]
        assert main(["detect", *files, *PCA]) == 1
        assert found() == results("good")
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        lines = err.splitlines()
        assert [line.split(": ")[1] for line in lines[:4]] == files[:4]
        assert "no such file" in lines[0]
        assert "cannot be read" in lines[1]
        assert "holds no EELS signal, only Signal2D" in lines[3]
        assert lines[4:] == ["hyperspy-cvae: 4 of 5 spectrum images failed."]
        page = Path("hyperspy-cvae-maps/summary.html").read_text(encoding="utf-8")
        assert "text &lt;b&gt;.txt" in page
        assert "holds no EELS signal" in page

    def test_range_outside_the_axis(
        self, counts: np.ndarray, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write("SI.dm4", spectrum_image(counts))
        assert main(["detect", path, "--signal-range", "100", "200", *PCA]) == 1
        assert not found()
        (line,) = capsys.readouterr().err.splitlines()
        assert "signal_range" in line

    def test_nothing_is_overwritten_unasked(
        self, counts: np.ndarray, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write("SI.dm4", spectrum_image(counts))
        Path("maps").mkdir()
        Path("maps/SI-pcc.hspy").write_text("precious")
        detect = ["detect", path, *PCA, "--output", "maps"]
        assert main(detect) == 1
        assert found("maps") == {"SI-pcc.hspy"}
        assert Path("maps/SI-pcc.hspy").read_text() == "precious"
        assert "exists already: pass --overwrite" in capsys.readouterr().err
        assert main([*detect, "--overwrite"]) == 0
        assert found("maps") == results("SI")
        assert main(detect) == 1
        assert "summary.html' exists already" in capsys.readouterr().err

    def test_output_is_a_file(self, counts: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
        path = write("SI.dm4", spectrum_image(counts))
        assert main(["detect", path, *PCA, "--output", path]) == 1
        assert "is a file: pass --output with a folder" in capsys.readouterr().err

    @pytest.mark.parametrize("content", [None, b"", b"no model at all"])
    def test_model_that_is_none(
        self, content: bytes | None, counts: np.ndarray, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write("SI.dm4", spectrum_image(counts))
        if content is not None:
            Path("m.safetensors").write_bytes(content)
        assert main(["detect", path, "--model", "m.safetensors"]) == 1
        assert not found()
        (line,) = capsys.readouterr().err.splitlines()
        assert "model" in line

    def test_failure_while_saving_leaves_nothing(
        self, counts: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device", "x.png")

        monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
        path = write("SI.dm4", spectrum_image(counts))
        assert main(["detect", path, *PCA]) == 1
        assert not Path("hyperspy-cvae-maps").exists()

    @pytest.mark.parametrize("when", ["before an epoch", "later"])
    def test_interruption(
        self,
        when: str,
        counts: np.ndarray,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        train = EELSAnomalySignal.train_cvae

        def interrupted(self: EELSAnomalySignal, **options: Any) -> CVAE:
            if when == "before an epoch":
                raise KeyboardInterrupt
            model = train(self, **options)
            assert model.history is not None
            model.history.stopped = "interrupted"
            return model

        monkeypatch.setattr(EELSAnomalySignal, "train_cvae", interrupted)
        path = write("SI.dm4", spectrum_image(counts))
        assert main(["detect", path, "--epochs", "1"]) == 130
        assert not found()
        (line,) = capsys.readouterr().err.splitlines()
        assert "Interrupted" in line

    def test_line_scan(self, counts: np.ndarray) -> None:
        line = hs.signals.Signal1D(counts.reshape(256, 100))
        line.set_signal_type("EELS")
        line.save("line.hspy")
        assert main(["detect", "line.hspy", *PCA]) == 0
        assert hs.load("hyperspy-cvae-maps/line-pcc.hspy").data.shape == (256,)


class TestInfo:
    def test_data_file(self, counts: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
        path = write("both.dm4", survey(), spectrum_image(counts[:12]))
        assert main(["info", path]) == 0
        out, err = capsys.readouterr()
        assert not err
        lines = [line.strip() for line in out.splitlines()]
        assert lines[0] == path
        assert "HAADF: LazySignal2D, float32" in lines
        assert "Oxide: LazyEELSAnomalySignal, float32" in lines
        assert "navigation 12 x 16, signal 100" in lines
        assert "x (navigation): 16 from 0 to 7.5 nm, step 0.5 nm" in lines
        assert "Energy loss (signal): 100 from 690 to 749.4 eV, step 0.6 eV" in lines

    def test_model_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        cube = bifeo3((16, 16), 64, offset=690).signal
        cube.train_cvae(epochs=1).save("m.safetensors")
        capsys.readouterr()
        assert main(["info", "m.safetensors"]) == 0
        out = capsys.readouterr().out
        for name in ("network", "compact", "energy axis", "beta"):
            assert name in out

    def test_goes_on_after_an_error(
        self, counts: np.ndarray, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("m.safetensors").write_bytes(b"nothing")
        path = write("SI.dm4", spectrum_image(counts))
        assert main(["info", "absent.dm4", "m.safetensors", path]) == 1
        out, err = capsys.readouterr()
        assert out.startswith("SI.dm4")
        assert len(err.splitlines()) == 2


class TestDemo:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_demo, "QUICK", _demo.Size((24, 24), 690.0, epochs=24))

    def test_results(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "--quick", "--seed", "3"]) == 0
        out, err = capsys.readouterr()
        assert not err
        assert "20 of 576 pixels are anomalous" in out
        assert "F1 at best" in out
        assert found("hyperspy-cvae-demo") == set(_demo._FILES)
        folder = Path("hyperspy-cvae-demo")
        assert hs.load(folder / "truth.hspy").data.sum() > 0
        assert CVAE.load(folder / "cvae.safetensors").describe()["seed"] == 3
        page = (folder / "summary.html").read_text(encoding="utf-8")
        assert "data:image/png;base64,iVBOR" in page
        assert "hyperspy-cvae demo --quick --seed 3" in page
        assert "hyperspy-cvae detect YOUR-FILE.dm4 --signal-range 690 730" in page

    def test_nothing_is_overwritten_unasked(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("out").mkdir()
        Path("out/demo.png").write_text("precious")
        assert main(["demo", "--quick", "--output", "out"]) == 1
        assert found("out") == {"demo.png"}
        assert "exists already" in capsys.readouterr().err


def test_patterns_that_no_shell_resolved() -> None:
    for name in ("x2.dm4", "x1.dm4", "[x].dm4"):
        Path(name).touch()
    found = find_files(["x*.dm4", "x1.dm4", "[x].dm4", "no*.dm4"])
    assert found == [Path(name) for name in ("x1.dm4", "x2.dm4", "[x].dm4", "no*.dm4")]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["SI.dm4", "line.dm4"], ["SI", "line"]),
        (["a/SI.dm4", "b/si.dm4"], ["a-SI", "b-si"]),
        (["a/SI.dm4", "a/SI.hspy"], ["SI-dm4", "SI-hspy"]),
        (["a/x/SI.dm4", "b/x/SI.dm4"], ["SI", "SI-2"]),
        (["a/SI.dm4", "b/SI.dm4", "c/a-SI.dm4"], ["a-SI", "b-SI", "c-a-SI"]),
    ],
)
def test_names_of_results_are_unique(paths: list[str], names: list[str]) -> None:
    assert result_names([Path(path) for path in paths]) == names


def test_warnings_are_lines(
    counts: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    detect = EELSAnomalySignal.detect_anomalies

    def warning(self: EELSAnomalySignal, *arguments: Any, **options: Any) -> Any:
        warnings.warn("Dose\nis low.", stacklevel=2)
        return detect(self, *arguments, **options)

    monkeypatch.setattr(EELSAnomalySignal, "detect_anomalies", warning)
    assert main(["detect", write("SI.dm4", spectrum_image(counts)), *PCA]) == 0
    assert capsys.readouterr().err == "Note: Dose is low.\n"


@pytest.mark.parametrize("command", ["info", "detect"])
@pytest.mark.parametrize(("name", "kind"), [("notes.md", ".md"), ("notes", "such")])
def test_what_no_reader_knows_is_named(
    command: str, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_text("Nothing to see.")
    assert main([command, name]) == 1
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith(f"hyperspy-cvae: {name}: The file cannot be read")
    assert f"HyperSpy reads no {kind} files" in first
    assert ".dm4" in first


def test_as_a_process(counts: np.ndarray) -> None:
    """What only a fresh process shows: the noise of imports, the exit status, the time."""
    path = write("SI.dm4", spectrum_image(counts))
    begin = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "hyperspy_cvae.cli", "info", path, "absent.dm4"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": ""},
    )
    assert run.returncode == 1
    assert run.stdout.startswith("SI.dm4")
    assert run.stderr == "hyperspy-cvae: absent.dm4: There is no such file: check its name.\n"
    assert time.perf_counter() - begin < 60
