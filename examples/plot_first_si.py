"""
A first spectrum image
======================

Simulate a small spectrum image with two hidden anomalies, train a 3D-CVAE on it, find them, and
look at what PCA would have found.
"""

# %%
# The phantom is bismuth ferrite around the Fe L edge: domains with sharp walls, strain, a wedge,
# and an energy axis that drifts from row to row. In two discs with a radius of 4 pixels the edge
# is moved by 3.9 eV. Your own file would be loaded with
# ``hs.load("SI.dm4", signal_type="EELSAnomaly")``.

import tempfile
from pathlib import Path

import hyperspy.api as hs

from hyperspy_cvae import CVAE
from hyperspy_cvae.phantoms import Detector, PeakShift, bifeo3

phantom = bifeo3(
    (64, 64),
    channels=400,
    offset=620.0,
    anomaly=PeakShift(3.9, discs=2, radius=4),
)
s = phantom.signal
s.add_elements(("Bi", "Fe", "O"))
print(s)

# %%
# Training
# --------
# This takes less than a minute.

model = s.train_cvae()

# %%
# Detection
# ---------
# The reconstruction is compared with the counts around the Fe L edge. ``print`` says what was found
# and why the threshold lies where it does.

window = (690.0, 730.0)
found = s.detect_anomalies(signal_range=window)
print(found)
found.plot()

# %%
# Each region has its line in a table.

found.regions[["pixels", "x", "y", "p_value", "energy", "change"]]

# %%
# What is other in its mean spectrum than in the bulk is told in words. Edges are named as certain
# because their elements were declared.

found.plot_region(1)
print(found.explain())

# %%
# The simulation knows the truth.

truth = phantom.truth.data
mask = found.mask.data.astype(bool)
print(f"{(mask & truth).sum()} of {truth.sum()} anomalous pixels found")
print(f"{(mask & ~truth).sum()} pixels of the bulk called anomalous")

# %%
# Beside PCA
# ----------
# PCA goes through the same steps. It spends its few components on the variation of the bulk, and
# the more of them it gets, the better it rebuilds the anomalies as well.

pca = s.detect_anomalies(signal_range=window, method="pca", n_components=4)
print(pca)
hs.plot.plot_images(
    [found.score, pca.score, phantom.truth],
    label=["3D-CVAE", "PCA, 4 components", "Truth"],
    axes_decor="off",
    colorbar=None,
)

# %%
# Keep the network
# ----------------
# One file holds the trained network. It finds anomalies in the next scan of the same crystal, here
# at a higher dose, without training.

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "bulk.safetensors"
    model.save(file)
    again = CVAE.load(file)

next_scan = bifeo3(
    (64, 64),
    channels=400,
    offset=620.0,
    detector=Detector(dose=60.0),
    anomaly=PeakShift(3.9, discs=2, radius=4),
)
print(next_scan.signal.detect_anomalies(signal_range=window, model=again))

# %%
# The published mode
# ------------------
# The paper compares single spectra by their Pearson correlation (PCC) and parts them by Otsu's
# threshold. Where that would cut the bulk, it is refused, and the reason says so.

print(next_scan.signal.detect_anomalies(window, model=again, score="pcc", threshold="otsu"))
