"""
O K at a low dose
=================

Five electrons per channel and pixel are little: no single spectrum shows anything. What neighbours
have in common does. And if nothing is found, how much could have been there?
"""

# %%
# The phantom is recorded by electron counting. In four discs the O K prepeak is higher, as more
# holes in the band make it.

import matplotlib.pyplot as plt

from hyperspy_cvae.phantoms import Detector, FineStructure, LocalChemistry, Structure, bifeo3

counting = Detector(dose=5, gain=1, read_noise=0, dark=0, correlation=0)
smooth = Structure(domains=(FineStructure(),), wall_width=0, strain=0.3)
phantom = bifeo3(
    (72, 72),
    channels=500,
    offset=500.0,
    dispersion=0.5,
    structure=smooth,
    detector=counting,
    anomaly=LocalChemistry(prepeak=1.0, discs=4, radius=4),
    seed=4,
)
s = phantom.signal
s.add_elements(["Fe", "O", "Bi"])
o_k = (520.0, 560.0)

plt.figure(figsize=(7, 3), layout="constrained")
plt.step(s.axes_manager[-1].axis, s.data[36, 36], lw=0.8, label="one pixel")
plt.plot(s.axes_manager[-1].axis, s.data.mean((0, 1)), label="mean of the scan")
plt.xlabel("Energy loss (eV)")
plt.ylabel("Electrons")
plt.legend()

# %%
# What was found
# --------------

s.train_cvae()
found = s.detect_anomalies(signal_range=o_k)
print(found)
found.plot()

# %%
# The spectra of single pixels are noise; those of a region are not.

if len(found.regions):
    found.plot_region(1)

# %%
truth, mask = phantom.truth.data, found.mask.data
print(f"{(mask & truth).sum()} of {truth.sum()} anomalous pixels found")
print(f"{(mask & ~truth).sum()} pixels of the bulk called anomalous")

# %%
# How small could it have been?
# -----------------------------
# Peaks of known height are added to the counts of this very scan, at the energy of the prepeak,
# with the noise that it has.

limit = s.detection_limit(signal_range=o_k, kind="peak", energy=529.0)
print(limit)
limit.plot()

# %%
limit.table
