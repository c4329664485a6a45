"""A lazy signal is judged by the processes of a cluster, if there is one."""

from pathlib import Path

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_cvae.phantoms import UNIFORM, PeakShift, bifeo3

pytestmark = [
    pytest.mark.filterwarnings("ignore:the me.* explain.* this spectrum image as well"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of zarr 2, which .zspy needs
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
distributed = pytest.importorskip("distributed")


def test_a_cluster_judges_as_this_process_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anomaly = PeakShift(3.0, discs=2, radius=3)
    phantom = bifeo3((60, 50), 160, offset=690, structure=UNIFORM, anomaly=anomaly, seed=2)
    phantom.signal.set_signal_type("EELSAnomaly")
    phantom.signal.save(tmp_path / "SI.zspy", chunks=(20, 20, 160))
    lazy = hs.load(tmp_path / "SI.zspy", lazy=True)
    eager = hs.load(tmp_path / "SI.zspy")
    model = eager.train_cvae(epochs=3)
    alone = eager.detect_anomalies(model=model)
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(processes=True, **settings) as cluster,
        distributed.Client(cluster) as client,
    ):
        with distributed.get_task_stream(client) as stream:
            together = lazy.detect_anomalies(model=model, show_progressbar=True)
        tasks = len(stream.data)
        with distributed.get_task_stream(client) as stream:
            in_memory = eager.detect_anomalies(model=model)
    assert tasks > 100
    assert not stream.data
    assert "Completed" in capsys.readouterr().out
    for found in (together, in_memory):
        np.testing.assert_array_equal(found.mask.data, alone.mask.data)
        np.testing.assert_allclose(found.score.data, alone.score.data, atol=0.1)
