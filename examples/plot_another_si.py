"""
One network for many scans
==========================

A network that was trained on a clean scan judges others of the same material at once: other
regions, other doses, and another dispersion.
"""

# %%
# A clean scan to learn from: one kind of domain, strained here and there, as the others will be.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from hyperspy_cvae import CVAE
from hyperspy_cvae.phantoms import (
    Detector,
    FineStructure,
    LocalChemistry,
    PeakShift,
    Structure,
    bifeo3,
)

crystal = Structure(domains=(FineStructure(),), wall_width=0, strain=0.5)
clean = bifeo3((72, 72), 500, offset=500.0, dispersion=0.5, structure=crystal, seed=10).signal
model = clean.train_cvae()

# %%
# The file of the network is all that has to be kept. Nothing in it is executed when it is read.

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "bulk.safetensors"
    model.save(file)
    print(f"{file.stat().st_size / 1e6:.1f} MB")
    model = CVAE.load(file)

# %%
# What it learnt: each shard of the scan is a vector of numbers.

latent = clean.cvae_latent(model)
print(latent)

# %%
# Other scans
# -----------
# The first was recorded at another dose, the second with 0.45 eV per channel. Counts are resampled
# onto the network's axis, and the reconstruction back.

fe_l = (690.0, 740.0)
scans = {
    "half the dose": bifeo3(
        (64, 64),
        500,
        offset=500.0,
        dispersion=0.5,
        structure=crystal,
        detector=Detector(dose=20.0),
        anomaly=PeakShift(2.4, discs=2, radius=4),
        seed=11,
    ),
    "another axis": bifeo3(
        (64, 64),
        570,
        offset=498.0,
        dispersion=0.45,
        structure=crystal,
        anomaly=LocalChemistry(l3=-1.6, l2=-0.1, discs=2, radius=4),
        seed=12,
    ),
}
for name, phantom in scans.items():
    found = phantom.signal.detect_anomalies(fe_l, model=model)
    truth, mask = phantom.truth.data, found.mask.data
    print(f"{name}: {(mask & truth).sum()} of {truth.sum()} anomalous pixels found, and")
    print(f"{(mask & ~truth).sum()} pixels of the bulk. {found.threshold.reason}")
    found.plot()

# %%
# Does it know this bulk?
# -----------------------
# A network that does not fit a scan shows: it explains less than a few principal components do.

scans["half the dose"].signal.plot_reconstruction_quality(fe_l, model=model)
plt.show()
