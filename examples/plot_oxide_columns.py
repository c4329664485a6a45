"""
Atomic columns of an oxide
==========================

At atomic resolution the fine structure changes from column to column, and an anomaly is what no
column explains. Find discs in which iron has another valence, see what changed there, and ask how
small a change would have been found.
"""

# %%
# The phantom has two kinds of domains, and iron columns whose edge has another shape than what
# lies between them. In three discs with a radius of 4 pixels the white lines of iron lie 1.6 eV
# lower and their ratio is another one, as of Fe²⁺ among Fe³⁺.

import matplotlib.pyplot as plt

from hyperspy_cvae.phantoms import FineStructure, LocalChemistry, Structure, bifeo3

columns = Structure(
    domains=(FineStructure(), FineStructure(l3=712.5)),
    domain_size=24,
    column=FineStructure(l3=715.0, splitting=2.4, l2=0.6, prepeak=0.35),
    strain=0.1,
)
phantom = bifeo3(
    (72, 72),
    channels=500,
    offset=500.0,
    dispersion=0.5,
    structure=columns,
    anomaly=LocalChemistry(l3=-1.6, l2=-0.1, discs=3, radius=4),
    seed=1,
)
s = phantom.signal
s.add_elements(["Fe", "O", "Bi"])

# %%
# Training
# --------
# The network sees O K and Fe L together: each tells what the other should be like.

model = s.train_cvae()
model.plot_history()

# %%
# What was found
# --------------
# At the end of a cell, ``found`` shows itself.

found = s.detect_anomalies(signal_range=(690.0, 740.0))
found

# %%
# ``found.explain()`` says region by region what changed, and ``found.plot_region()`` shows it.

print(found.explain())
found.plot_region(1)

# %%
# In a notebook with ``%matplotlib widget`` a click into the map of ``found.explore()`` shows the
# spectra of that place; here it is the first region.

view = found.explore()

# %%
# The simulation knows the truth.

truth, mask = phantom.truth.data, found.mask.data
print(f"{(mask & truth).sum()} of {truth.sum()} anomalous pixels found")
print(f"{(mask & ~truth).sum()} pixels of the bulk called anomalous")

# %%
# Was a network needed?
# ---------------------
# All go through the same steps. Shifts of known size are hidden in the counts of this very scan to
# see which of them would have found what.

compared = s.compare_detectors(signal_range=(690.0, 740.0))
print(compared)
compared.plot()

# %%
compared.table

# %%
# How many principal components are as good a reconstruction?

s.plot_reconstruction_quality(signal_range=(690.0, 740.0))
plt.show()
