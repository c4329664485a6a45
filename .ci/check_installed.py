"""Check an installed package: HyperSpy finds it, and finding it costs no import of torch.

Its arguments are the yaml of the source tree and a folder to work in. Python looks for modules in
the folder of this script, not in the source tree, so that it is the installed package it imports.
"""

import os
import sys
from pathlib import Path

yaml, folder = (Path(argument).resolve() for argument in sys.argv[1:])
folder.mkdir()
os.chdir(folder)

import hyperspy.api as hs  # noqa: E402
import numpy as np  # noqa: E402
from hyperspy.extensions import ALL_EXTENSIONS  # noqa: E402

import hyperspy_cvae  # noqa: E402

assert "torch" not in sys.modules, "importing hyperspy.api and hyperspy_cvae imports torch"

package = Path(hyperspy_cvae.__file__).parent
assert "site-packages" in package.parts, f"{package} is not the installed package"
assert (package / "hyperspy_extension.yaml").read_bytes() == yaml.read_bytes(), "the yamls differ"
for name in ("EELSAnomalySignal", "LazyEELSAnomalySignal"):
    assert name in ALL_EXTENSIONS["signals"], f"HyperSpy does not know {name}"

s = hs.signals.Signal1D(np.ones((4, 5, 60), "float32"))
s.set_signal_type("EELSAnomaly")
assert type(s) is hyperspy_cvae.EELSAnomalySignal, type(s)
s.set_signal_type("EELS")
s.save("counts.hspy")
loaded = hs.load("counts.hspy", signal_type="EELSAnomaly")
assert type(loaded) is hyperspy_cvae.EELSAnomalySignal, type(loaded)
lazy = hs.load("counts.hspy", signal_type="EELSAnomaly", lazy=True)
assert type(lazy) is hyperspy_cvae.LazyEELSAnomalySignal, type(lazy)
lazy.close_file()
print(f"hyperspy_cvae {hyperspy_cvae.__version__} is found by HyperSpy, without torch.")
