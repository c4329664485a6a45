"""No windows, no toolkit, no progress bars."""

import logging
import os
from collections.abc import Iterator

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each process has a core to itself. What counts threads does so when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib
import pytest
from hyperspy.defaults_parser import preferences
from traits.etsconfig.api import ETSConfig

matplotlib.use("Agg")
ETSConfig.toolkit = "null"
preferences.General.show_progressbar = False
# It logs on import that an optional dependency is absent, in the middle of a doctest's output.
logging.getLogger("hyperspy").setLevel(logging.ERROR)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Compute on one thread: networks as small as in tests are slower on several."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
