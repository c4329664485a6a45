"""The notebook as people use it: in JupyterLab, with a mouse, in a browser.

``HYPERSPY_CVAE_SCREENSHOTS=FOLDER`` keeps what was seen.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
gallery = pytest.importorskip("sphinx_gallery.notebook", reason="sphinx-gallery is not installed")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

CELLS = (
    """\
%matplotlib widget
from hyperspy_cvae.phantoms import UNIFORM, PeakShift, bifeo3

anomaly = PeakShift(3.0, discs=2, radius=4)
s = bifeo3((64, 64), 160, offset=690, structure=UNIFORM, anomaly=anomaly).signal
found = s.detect_anomalies((690.0, 730.0), method="pca", n_components=1)
found""",
    "view = found.explore()",
    "found.decide()",
    'print("mask", int(found.mask.data.sum()), found.mask.metadata.CVAE.Decision.by_hand)',
)
TIMEOUT = 120_000  # ms
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("plot_*.py"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab with a notebook of the cells, as an address."""
    folder = tmp_path_factory.mktemp("notebook")
    cells = [
        {"cell_type": "code", "id": f"cell-{number}", "source": source, "metadata": {}}
        | {"outputs": [], "execution_count": None}
        for number, source in enumerate(CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4}
    (folder / "anomalies.ipynb").write_text(json.dumps(notebook | {"nbformat_minor": 5}))
    for example in EXAMPLES:
        shutil.copy(example, folder)
        gallery.python_to_jupyter_cli([str(folder / example.name)])
    settings = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
    }
    places = {name: str(folder / place) for name, place in settings.items()}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"]
    command += ["--ip=127.0.0.1", "--IdentityProvider.token="]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "MPLBACKEND"} | places,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    try:
        said = ""
        for line in process.stderr:
            said += line
            if address := re.search(r"http://127\.0\.0\.1:\d+/", line):
                break
        else:
            pytest.fail(f"JupyterLab did not start:\n{said}")
        yield address[0]
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(server: str, browser: Any) -> Any:
    """The notebook of the cells, all of them run."""
    page = run(browser, server, "anomalies")
    page.locator(".noUi-handle").first.wait_for(timeout=TIMEOUT)
    return page


def run(browser: Any, server: str, name: str) -> Any:
    """Open a notebook, in a workspace without the others, and run all of its cells."""
    page = browser.new_page(viewport={"width": 1500, "height": 2600})
    page.goto(f"{server}lab/workspaces/{name}/tree/{name}.ipynb", timeout=TIMEOUT)
    # Until the kernel is there, running a cell asks which one it should be.
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=TIMEOUT)
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
    return page


def keep(place: Any, name: str) -> None:
    if folder := os.environ.get("HYPERSPY_CVAE_SCREENSHOTS"):
        place.screenshot(path=Path(folder) / f"{name}.png")


def changed(before: Any, now: Callable[[], Any]) -> Any:
    """Wait until something is no longer what it was, and stays so for half a second."""
    last, times = before, 0
    for _ in range(200):
        value = now()
        times = times + 1 if value == last else 0
        last = value
        if times == 5 and value != before:
            return value
        time.sleep(0.1)
    pytest.fail("nothing has changed within twenty seconds")


def cell(page: Any, number: int) -> Any:
    return page.locator(".jp-Cell").nth(number)


def test_the_summary_is_shown(page: Any) -> None:
    assert "Anomaly maps of BiFeO3 phantom" in cell(page, 0).inner_text()
    assert cell(page, 0).locator("img[alt^='Sum image']").count() == 1
    keep(cell(page, 0).locator(".jp-OutputArea-executeResult"), "notebook_summary")


def test_a_click_on_the_map_changes_the_spectrum(page: Any) -> None:
    figure = cell(page, 1).locator(".jupyter-matplotlib-canvas-div")
    box = figure.bounding_box()
    spectra = dict(box, x=box["x"] + box["width"] / 2, width=box["width"] / 2)

    def seen() -> bytes:
        return page.screenshot(clip=spectra)

    region = seen()
    keep(figure, "notebook_explore")
    page.mouse.click(box["x"] + 0.15 * box["width"], box["y"] + 0.7 * box["height"])
    bulk = changed(region, seen)
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.95 * box["height"])
    changed(bulk, seen)


def test_the_slider_changes_the_mask(page: Any) -> None:
    """Moved by the mouse; what is decided is the mask of the maps when it is applied."""
    panel = cell(page, 2)
    summary = panel.locator(".widget-html-content")
    assert summary.inner_text().startswith("98 of 4096 pixels")
    assert "automatic" in summary.inner_text()
    keep(panel.locator(".jp-OutputArea-output"), "notebook_decide")
    mask = panel.locator("img").first

    def seen() -> tuple[str, bytes]:
        return summary.inner_text(), mask.screenshot()

    before = seen()
    handle = panel.locator(".noUi-handle").first.bounding_box()
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=5)
    page.mouse.up()
    text = changed(before[0], lambda: seen()[0])
    assert "by hand" in text
    changed(before[1], lambda: seen()[1])
    panel.get_by_role("button", name="Apply").click()
    cell(page, 3).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    told = f"mask {text.split()[0]} True"
    cell(page, 3).get_by_text(told).wait_for(timeout=TIMEOUT)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_the_gallery_as_notebooks(server: str, browser: Any, example: Path) -> None:
    page = run(browser, server, example.stem)
    # Each of the cells has its number, and JupyterLab shows those that are not in sight, too.
    waiting = page.locator(".jp-CodeCell .jp-InputPrompt", has_text=re.compile(r"\[[ *]\]:"))
    for _ in range(3600):
        if not waiting.count():
            break
        time.sleep(0.5)
    keep(page.locator(".jp-Notebook"), example.stem)
    error = page.locator("[data-mime-type='application/vnd.jupyter.error']")
    assert not error.count(), error.first.inner_text()
    assert not waiting.count()
    page.close()
