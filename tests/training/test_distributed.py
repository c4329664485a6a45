"""Several processes train one network as one process does."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hyperspy_cvae.phantoms import bifeo3
from hyperspy_cvae.reconstruction import CVAE, PAPER_CVAE, CVAEConfig
from hyperspy_cvae.training import TrainingConfig

TRAINING = TrainingConfig(epochs=8, steps_per_epoch=2, batch_size=4)
CONFIGS = {
    "compact": CVAEConfig(training=TRAINING),
    "odd": CVAEConfig(training=replace(TRAINING, batch_size=3)),
    "paper": replace(
        PAPER_CVAE,
        training=replace(PAPER_CVAE.training, epochs=2, steps_per_epoch=2, batch_size=4),
    ),
}

SCRIPT = """
import json, sys
import torch
from torch import distributed

sys.path.insert(0, sys.argv[2])
from test_distributed import trained

torch.set_num_threads(1)
distributed.init_process_group("gloo")
model = trained(sys.argv[1])
found = {"history": model.history.cross_entropy, "divergence": model.history.divergence}
found["weights"] = sum(float(each.double().abs().sum()) for each in model._network.parameters())
open(f"{sys.argv[3]}/{distributed.get_rank()}.json", "w").write(json.dumps(found))
distributed.destroy_process_group()
"""


def trained(name: str) -> CVAE:
    cube = bifeo3((24, 20), channels=64, offset=690, dispersion=0.5, seed=3).signal.data
    return CVAE(CONFIGS[name], "cpu").fit(cube)


def in_two_processes(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*command, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
@pytest.mark.parametrize("name", ["compact", "paper"])
def test_two_processes_have_the_loss_of_one(name: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = in_two_processes(script, name, str(Path(__file__).parent), str(tmp_path))
    assert run.returncode == 0, run.stderr[-2000:]
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert found[0] == found[1]
    alone = trained(name).history
    assert alone is not None
    np.testing.assert_allclose(found[0]["history"], alone.cross_entropy, rtol=1e-3)
    np.testing.assert_allclose(found[0]["divergence"], alone.divergence, rtol=1e-2)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = in_two_processes(script, "odd", str(Path(__file__).parent), str(tmp_path))
    assert run.returncode != 0
    assert "batch_size is 3, but 2 processes share a batch: use a multiple of 2" in run.stderr
