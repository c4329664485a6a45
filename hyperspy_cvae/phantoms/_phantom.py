"""The phantoms: a spectrum image, its noise-free bulk and the truth about its anomalies."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_cvae.phantoms._anomaly import LocalChemistry, Mode, PeakShift, discs, roll_edge
from hyperspy_cvae.phantoms._detector import Detector
from hyperspy_cvae.phantoms._structure import MAX_SHIFT, Crystal, Structure
from hyperspy_cvae.phantoms._types import BoolArray, FloatArray

if TYPE_CHECKING:
    from exspy.signals import EELSSpectrum
    from hyperspy.signals import Signal2D

PIXEL_SIZE = 0.05
"""Step of the scan in nm."""

_FE_L23 = (705.0, 735.0)
_MN_L23 = (635.0, 660.0)
_O_K = (525.0, 540.0)


@dataclass(frozen=True)
class Phantom:
    """A simulated spectrum image with known truth.

    Attributes
    ----------
    signal
        Recorded counts, float32, shape ``(rows, columns | channels)``, with the anomaly.
    bulk
        Expected counts of the same crystal without noise and without the anomaly, float32, in
        the units of ``signal``.
    truth
        True in the anomalous pixels; ``truth.data`` has the shape ``(rows, columns)``.
    description
        Every parameter the phantom was made with; can be written as JSON.
    """

    signal: "EELSSpectrum"
    bulk: "EELSSpectrum"
    truth: "Signal2D"
    description: dict[str, Any]


def bifeo3(
    shape: tuple[int, int] = (48, 48),
    channels: int = 1312,
    offset: float = 420.0,
    dispersion: float = 0.3,
    structure: Structure | None = None,
    detector: Detector | None = None,
    anomaly: PeakShift | LocalChemistry | None = None,
    seed: int = 0,
) -> Phantom:
    """Simulate a core-loss spectrum image of bismuth ferrite.

    The expected spectrum of a pixel is a mixture of a power-law background, Bi N, O K and
    Fe L2,3 edges, each with and without one plasmon loss more; the mixture follows thickness,
    atomic columns, domains and strain, and each row lies a little off in energy.

    Parameters
    ----------
    shape
        Rows and columns of the scan.
    channels
        Number of energy channels.
    offset
        Energy loss of the first channel in eV.
    dispersion
        Energy per channel in eV.
    structure
        The crystal; ``Structure()`` if not given.
    detector
        The camera; ``Detector()`` if not given.
    anomaly
        The anomaly; none if not given, and none if it changes nothing.
    seed
        Same seed, same phantom. Crystal, discs and noise have a stream of random numbers each:
        the anomaly changes nothing outside its discs.

    Returns
    -------
    Phantom
        The spectrum image, its bulk, the truth and the parameters.

    Raises
    ------
    ValueError
        If a size is not positive, or if an anomaly is asked for and the energy axis misses the
        Fe L2,3 edge or the scan is too small for its discs.

    Examples
    --------
    >>> phantom = bifeo3((16, 12), channels=120, offset=700, anomaly=PeakShift(radius=1))
    >>> phantom.signal
    <EELSAnomalySignal, title: BiFeO3 phantom, dimensions: (12, 16|120)>
    >>> int(phantom.truth.data.sum())
    20
    """
    structure = structure or Structure()
    detector = detector or Detector()
    _check_sizes(shape, channels, offset, dispersion)
    energy = offset + dispersion * np.arange(channels)
    if anomaly:
        _check_anomaly(energy, anomaly)
    crystal_seed, disc_seed, noise_seed, anomaly_seed = np.random.SeedSequence(seed).spawn(4)
    truth = np.zeros(shape, bool)
    if anomaly:
        place = int(disc_seed.generate_state(1)[0])
        truth = discs(shape, anomaly.discs, anomaly.radius, place)

    crystal = Crystal(structure, shape, energy, np.random.default_rng(crystal_seed))
    bulk = crystal.cube()
    anomalous = crystal.altered(anomaly.of) if isinstance(anomaly, LocalChemistry) else crystal
    scale = np.float32(detector.dose / bulk[..., 0].mean(dtype=float))
    counts = np.empty_like(bulk)
    noise = np.random.default_rng(noise_seed)
    anomalous_noise = np.random.default_rng(anomaly_seed)
    for row, electrons in enumerate(bulk):
        electrons *= scale
        counts[row] = detector.record(electrons, noise)
        hit = truth[row]
        if anomaly and hit.any():
            shift = anomaly.shift if isinstance(anomaly, PeakShift) else 0.0
            if isinstance(anomaly, PeakShift) and anomaly.mode == "roll":
                counts[row, hit] = roll_edge(counts[row, hit], shift, energy, anomaly.window)
            else:
                other = (scale * anomalous.spectra(row, shift)[hit]).astype(np.float32)
                counts[row, hit] = detector.record(other, anomalous_noise)
        bulk[row] = detector.expected(electrons)

    description = {
        "shape": list(shape),
        "channels": channels,
        "offset": offset,
        "dispersion": dispersion,
        "structure": asdict(structure),
        "detector": asdict(detector),
        "anomaly": asdict(anomaly) if anomaly else None,
        "seed": seed,
    }
    return Phantom(
        _spectrum_image(counts, offset, dispersion, "BiFeO3 phantom"),
        _spectrum_image(bulk, offset, dispersion, "BiFeO3 phantom, noise-free bulk"),
        _truth_map(truth),
        description,
    )


def paper_si(
    shift: float = 2.4,
    mode: Mode = "shift",
    seed: int = 0,
    anomalous: bool = True,
    shape: tuple[int, int] = (192, 192),
    channels: int = 1312,
) -> Phantom:
    """Simulate a spectrum image as hard as the paper's, which is not to be had.

    Parameters
    ----------
    shift
        Shift of the Fe L2,3 edge to higher loss in eV; 0 for none.
    mode
        ``"shift"`` moves the edge in the expected counts; ``"roll"`` rolls the recorded counts
        inside the paper's window of 41 channels.
    seed
        Same seed, same crystal, discs and noise, whatever ``shift`` and ``mode`` are.
    anomalous
        False for the clean spectrum image.
    shape
        Rows and columns of the scan; the discs shrink with it.
    channels
        Number of energy channels of 0.30 eV from 420 eV on.

    Returns
    -------
    Phantom
        The spectrum image, its bulk, the truth and the parameters.

    Examples
    --------
    >>> phantom = paper_si(shape=(24, 24), seed=1)
    >>> phantom.truth.data.mean().round(3)
    np.float64(0.035)
    """
    radius = max(1.0, round(7 * min(shape) / 192))
    return bifeo3(
        shape,
        channels,
        offset=420.0,
        dispersion=0.3,
        anomaly=PeakShift(shift, mode, radius=radius) if anomalous else None,
        seed=seed,
    )


def _spectrum_image(
    counts: FloatArray, offset: float, dispersion: float, title: str
) -> "EELSSpectrum":
    import exspy.signals

    energy = {
        "name": "Energy loss",
        "units": "eV",
        "offset": offset,
        "scale": dispersion,
        "size": counts.shape[-1],
        "navigate": False,
    }
    signal = exspy.signals.EELSSpectrum(counts, axes=[*_scan_axes(counts.shape, True), energy])
    signal.metadata.General.title = title
    signal.metadata.Signal.quantity = "Counts"
    # The paper's microscope: keV and mrad.
    signal.set_microscope_parameters(
        beam_energy=60.0, convergence_angle=30.0, collection_angle=48.0
    )
    signal.set_signal_type("EELSAnomaly")
    return signal


def _truth_map(truth: BoolArray) -> "Signal2D":
    import hyperspy.signals

    signal = hyperspy.signals.Signal2D(truth, axes=_scan_axes(truth.shape, False))
    signal.metadata.General.title = "Truth"
    return signal


def _scan_axes(shape: tuple[int, ...], navigate: bool) -> list[dict[str, Any]]:
    return [
        {"name": name, "units": "nm", "scale": PIXEL_SIZE, "size": size, "navigate": navigate}
        for name, size in zip(("y", "x"), shape, strict=False)
    ]


def _check_sizes(shape: tuple[int, int], channels: int, offset: float, dispersion: float) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape is {shape}; it must be the numbers of rows and columns.")
    if channels < 2:
        raise ValueError(f"channels is {channels}; an energy axis has at least 2.")
    if offset <= 0 or dispersion <= 0:
        raise ValueError(
            f"offset is {offset} eV and dispersion is {dispersion} eV; both must be above 0."
        )


def _check_anomaly(energy: FloatArray, anomaly: PeakShift | LocalChemistry) -> None:
    edges = {}
    if isinstance(anomaly, PeakShift):
        if abs(anomaly.shift) > MAX_SHIFT:
            raise ValueError(
                f"shift is {anomaly.shift} eV; the Fe L2,3 edge can be moved by up to "
                f"{MAX_SHIFT:g} eV."
            )
        edges["Fe L2,3"] = anomaly.window if anomaly.mode == "roll" else _FE_L23
    else:
        if anomaly.l3 or anomaly.l2:
            edges["Fe L2,3"] = _FE_L23
        if anomaly.prepeak:
            edges["O K"] = _O_K
        if anomaly.manganese:
            edges["Mn L2,3"] = _MN_L23
    for edge, (start, stop) in edges.items():
        if energy[0] > start or energy[-1] < stop:
            raise ValueError(
                f"The energy axis {energy[0]:g}-{energy[-1]:g} eV does not contain the {edge} edge "
                f"({start:g}-{stop:g} eV) that the anomaly would change; change offset, dispersion "
                "or channels, or leave anomaly out."
            )
