"""
A layered device
================

A layer that fills a quarter of the scan is no exception from a bulk: a network that is trained on
all of it learns the layer, too. Train on what you know, judge everything, and decide by hand.
"""

# %%
# The phantom is a film of bismuth ferrite between two electrodes without iron. The upper half of
# the film is as it should be; in the lower half the white lines lie lower and their ratio is
# another one.

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_cvae.phantoms import FineStructure, Structure, bifeo3

electrode = FineStructure(oxygen=532.0, prepeak=0.15, iron=0)
film, wrong = FineStructure(), FineStructure(l3=710.5, l2=0.3)
stack = Structure(domains=(electrode, film, wrong, electrode), layered=True, strain=0.1)
s = bifeo3((96, 48), 500, offset=500.0, dispersion=0.5, structure=stack, seed=3).signal
s.add_elements(["Fe", "O", "Bi"])
fe_l = (690.0, 740.0)

# %%
# Trained on everything
# ---------------------
# Most of the layer is not found: both halves of the film are bulk.

everything = s.train_cvae(epochs=24)
print(s.detect_anomalies(fe_l, model=everything))

# %%
# Trained on what is known
# ------------------------
# ``navigation_mask`` is what to leave out of the training: a signal, or an array of the shape of
# the scan in HyperSpy's order. Here only the electrodes and the upper half of the film are learnt.

doubtful = np.zeros((96, 48), bool)
doubtful[46:74] = True
model = s.train_cvae(epochs=24, navigation_mask=doubtful.T)
found = s.detect_anomalies(fe_l, model=model)
print(found)
found.plot()

# %%
# A fifth of the scan is too much for a defect, as the reason of the threshold says: it is a second
# phase. In a notebook ``found.decide()`` is a panel with a slider below the histogram; the same by
# settings, without what is smaller than 20 pixels:

found.decide("auto", smallest_region=20)
print(found)

# %%
# What it is
# ----------

print(found.explain())
found.plot_region(1)

# %%
# The decision is part of the mask.

print(found.mask.metadata.CVAE.Decision)
hs.plot.plot_images([found.image, found.mask], label=["Counts", "Anomalous"], colorbar=None)
plt.show()
