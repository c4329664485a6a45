"""A spectrum image beside its bulk, and what is judged by that."""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from hyperspy_cvae._version import __version__
from hyperspy_cvae.artefacts import Artefacts
from hyperspy_cvae.blocks import Cube, in_memory, to_map
from hyperspy_cvae.detection import (
    QUANTITIES,
    Found,
    Limit,
    ReconstructionQuality,
    Score,
    Threshold,
    anomalous,
    as_good,
    describe_regions,
    energy_bin,
    find_anomalies,
    find_low_scores,
    find_phases,
    otsu_threshold,
    pearson_correlation,
    reconstruction_quality,
    without_rare_bulk,
    without_small,
)
from hyperspy_cvae.evaluation import smallest_shift
from hyperspy_cvae.progress import Progress
from hyperspy_cvae.reconstruction import (
    CVAE,
    PCA,
    EnergyAxis,
    LowRank,
    Mean,
    Reconstructor,
    TileMedian,
)
from hyperspy_cvae.sampling import some_tiles
from hyperspy_cvae.shards import binned, channels_of
from hyperspy_cvae.signals._arrays import Recorded
from hyperspy_cvae.signals._artefacts import artefact_table
from hyperspy_cvae.signals._maps import AnomalyMaps
from hyperspy_cvae.signals._phases import phase_explanations
from hyperspy_cvae.signals._regions import region_explanations, region_spectra, region_table

if TYPE_CHECKING:
    from hyperspy_cvae.signals._eels_anomaly import EELSAnomalySignal

Range = tuple[float, float]

T = TypeVar("T")

_FEWEST_COMPARED = 8
_MOST_KEPT = 16  # maps of what was tried
SHARES = {"reconstructing": 45, "scoring": 30, "testing": 20, "describing": 5}
"""Of the time of a detection, in per cent, roughly."""

_TILE, _ENOUGH_TILES = 24, 16  # pixels; to know whether a network was needed


@dataclass(frozen=True, eq=False)
class Comparison:
    """A spectrum image beside its bulk, from which anomalies are told as often as one likes.

    Parameters
    ----------
    signal
        The spectrum image.
    cube
        Its counts ``(rows, columns, energy)``.
    spectra
        What they would be if all were bulk, of the same shape; NaN in channels that were not
        learnt.
    judged
        Pixels to judge, boolean ``(rows, columns)``.
    channels
        Channels that may be compared, boolean ``(energy,)``.
    axis
        The energy axis.
    reconstruct
        Makes such spectra of another cube.
    by_network
        Whether a network makes them, which hardly reproduces bulk that is rare.
    by_low_rank
        Whether a low rank makes them, which is found again at each resolution.
    provenance
        What made them.
    artefacts
        Those of the scan.
    notes
        What else is to be said.
    """

    signal: "EELSAnomalySignal"
    cube: Cube
    spectra: Cube
    judged: NDArray[np.bool_]
    channels: NDArray[np.bool_]
    axis: EnergyAxis
    reconstruct: Callable[[Cube], Cube]
    by_network: bool
    by_low_rank: bool
    provenance: dict[str, Any]
    artefacts: Artefacts
    notes: list[str] = field(default_factory=list)
    _made: dict[tuple[str, str, bytes], Any] = field(default_factory=dict)

    @classmethod
    def with_network(cls, recorded: Recorded, model: CVAE) -> "Comparison":
        """Compare with what a trained 3D-CVAE makes of the counts."""
        reconstruct = partial(model.reconstruct, axis=recorded.axis)
        settings = {**model.describe(), "training": asdict(model.config.training)}
        provenance = {"method": "3D-CVAE", "configuration": settings}
        return cls._with(recorded, reconstruct, provenance, by_network=True)

    @classmethod
    def with_pca(cls, recorded: Recorded, n_components: int) -> "Comparison":
        """Compare with the first components of HyperSpy's ``decomposition()``."""

        def by_pca(cube: NDArray[np.float32]) -> NDArray[np.float32]:
            return PCA(n_components).fit(cube, recorded.judged).reconstruct(cube)

        reconstruct = partial(_in_channels, reconstruct=by_pca, channels=recorded.alive)
        method = f"PCA with {n_components} component{'s' * (n_components > 1)}"
        return cls._with(recorded, reconstruct, {"method": method})

    @classmethod
    def with_fitted(
        cls, recorded: Recorded, reconstructor: Reconstructor, method: str
    ) -> "Comparison":
        """Compare with what is fitted once, to these counts, whatever is compared later."""
        cube, alive = in_memory(recorded.cube), recorded.alive
        fitted = reconstructor.fit(cube[..., alive], recorded.judged)
        reconstruct = partial(_in_channels, reconstruct=fitted.reconstruct, channels=alive)
        low_rank = isinstance(reconstructor, LowRank)
        return cls._with(recorded, reconstruct, {"method": method}, by_low_rank=low_rank)

    @classmethod
    def with_low_rank(cls, recorded: Recorded) -> "Comparison":
        """Compare with as few components as explain the bulk."""
        detector = LowRank()
        compared = cls.with_fitted(recorded, detector, "low rank")
        assert detector.bulk is not None
        number = len(detector.bulk.components)
        method = f"low rank ({number} component{'s' * (number > 1)})"
        return replace(compared, provenance={"method": method})

    @classmethod
    def _with(
        cls,
        recorded: Recorded,
        reconstruct: Callable[[Cube], Cube],
        provenance: dict[str, Any],
        by_network: bool = False,
        by_low_rank: bool = False,
    ) -> "Comparison":
        """Compare the channels that are reconstructed."""
        signal, cube, judged, _, channels, axis, artefacts = recorded
        spectra = reconstruct(cube)
        known = np.asarray(np.isfinite(in_memory(spectra[:1])).any((0, 1)))
        compared = channels & known
        return cls(
            signal,
            cube,
            spectra,
            judged,
            compared,
            axis,
            reconstruct,
            by_network,
            by_low_rank,
            provenance,
            artefacts,
        )

    def of(self, cube: Cube) -> "Comparison":
        """Return the comparison of another cube of this scan."""
        return replace(self, cube=cube, spectra=self.reconstruct(cube), _made={})

    def without(self, pixels: NDArray[np.bool_]) -> "Comparison":
        """Return the comparison that leaves out some pixels."""
        return replace(self, judged=self.judged & ~pixels, _made={})

    def warn_if_simpler(self, signal_range: Range | None) -> None:
        """Warn if the mean spectrum, or the median of a tile, explains as much in some range."""
        measured, expected, judged = self.compared(signal_range)
        tiles = some_tiles(judged.shape, _TILE, _ENOUGH_TILES)
        width = energy_bin(self.axis.dispersion_ev, measured.shape[2])
        found, bulk = (
            binned(np.concatenate([in_memory(each[tile]) for tile in tiles]), width)
            for each in (measured, expected)
        )
        used = np.concatenate([judged[tile] for tile in tiles])
        if not used.any():
            return
        simpler = {
            "the mean spectrum": Mean().fit(found, used).reconstruct(found),
            f"the median spectrum of {_TILE} x {_TILE} pixels": TileMedian(_TILE)
            .fit(found, used)
            .reconstruct(found),
        }
        if names := as_good(found, bulk, simpler, width * self.axis.dispersion_ev, used):
            verb = "explains" if len(names) == 1 else "explain"
            note = (
                f"{' and '.join(names)} {verb} this spectrum image as well as the 3D-CVAE does. "
                "Either its bulk hardly varies, so that anomalies are found as well without a "
                "network; or the network was not trained long enough, and more epochs will help."
            )
            self.notes.append(note)
            warnings.warn(note, stacklevel=3)

    def quality(self, signal_range: Range | None, n_components: int) -> ReconstructionQuality:
        """Return how well spectra are reconstructed between two energies, beside PCA."""
        *_, judged = self.compared(signal_range)
        inside = self.channels_in(signal_range)[self.channels]
        measured, expected, _ = self.compared(None)
        return reconstruction_quality(measured, expected, inside, judged, n_components)

    def judge(
        self,
        signal_range: Range | None,
        score: Score,
        limit: Limit,
        smallest_region: int = 1,
        progress: Progress | None = None,
    ) -> AnomalyMaps:
        """Return what is found between two energies, and what its regions are."""
        channels = self.channels_in(signal_range)
        left = sum(SHARES.values()) - SHARES["reconstructing"]
        progress = progress or Progress(left, "Judging", "%", shown=False)
        scores = {each: self.scores(signal_range, each) for each in dict.fromkeys(("pcc", score))}
        progress.update(SHARES["scoring"], "testing")
        mask, threshold = self.found(signal_range, score, limit, smallest_region)
        if limit == "auto" and threshold.unimodal and np.isfinite(threshold.value):
            threshold = self._with_limit(signal_range, score, threshold)
        progress.update(SHARES["testing"], "describing regions")
        notes = list(self.notes)
        if threshold is limit and mask.sum() > np.isfinite(scores[score]).sum() / 2:
            notes.append(
                f"threshold {threshold.value:g} lies above the median {QUANTITIES[score]}, "
                f"{np.nanmedian(scores[score]):.3g}, so that most pixels are called anomalous: "
                "look at the histogram, found.plot(), and choose a lower one."
            )
            warnings.warn(notes[-1], stacklevel=3)
        measured, expected, judged = self.compared(signal_range)
        p_values = self._judged(signal_range, score).p_values
        regions = describe_regions(
            mask, scores[score], p_values, measured, expected, self.axis.dispersion_ev, judged
        )
        labels = np.zeros(mask.shape, np.intp)
        for number, region in enumerate(regions, 1):
            labels[region.pixels] = number
        spectra = region_spectra(regions, self.signal, self.cube, self.spectra, channels)
        explanations = region_explanations(regions, self.signal, spectra, channels)
        phases = self._phases(signal_range)
        energies = self.energies(signal_range)
        compared = float(energies[0]), float(energies[-1])
        provenance = {
            **self.provenance,
            "score": score,
            "version": __version__,
            "signal_range": list(compared),
            "units": self.axis.units,
            "threshold": asdict(threshold),
            "decision": {
                "threshold": limit.value if isinstance(limit, Threshold) else limit,
                "smallest_region": smallest_region,
                "by_hand": isinstance(limit, Threshold),
            },
            "notes": notes,
        }
        if score == "combined":  # a hit is as unusual as it is high, though it was replaced
            height = self.artefacts.hits.height
            with_hits = np.minimum(scores[score], -height)
            scores[score] = np.where(height > 0, with_hits, scores[score])
        maps = {each: self._map(QUANTITIES[each], scores[each], provenance) for each in scores}
        image = self._map("", to_map(_sum, self.cube), provenance)
        image.metadata.Signal.quantity = self.signal.metadata.get_item("Signal.quantity", "Counts")
        mask_map = self._map("Anomalies", mask, provenance)
        mask_map.metadata.Signal.quantity = "Anomalous"
        artefacts = self._map("Artefacts", self.artefacts.mask, provenance)
        progress.update(SHARES["describing"])
        return AnomalyMaps(
            maps["pcc"],
            maps[score],
            mask_map,
            artefacts,
            artefact_table(self.artefacts, self.signal, self.axis),
            self._map("Phases", phases, provenance),
            phase_explanations(phases, self.signal, self.cube, channels),
            labels.reshape(mask_map.data.shape),
            image,
            region_table(regions, self.signal, energies, explanations),
            *spectra,
            explanations,
            threshold,
            compared,
            self.axis.units,
            provenance,
            self,
        )

    def found(
        self, signal_range: Range | None, score: Score, limit: Limit, smallest_region: int = 1
    ) -> tuple[NDArray[np.bool_], Threshold]:
        """Return which pixels are anomalous, in regions of so many pixels, and why."""
        scores = self.scores(signal_range, score)
        if limit == "auto":
            found = self._judged(signal_range, score)
            mask, threshold = found.mask, found.threshold
        else:
            threshold = otsu_threshold(scores) if limit == "otsu" else limit
            mask = anomalous(scores, threshold)
        return without_small(mask, smallest_region), threshold

    def scores(self, signal_range: Range | None, score: Score) -> NDArray[np.float64]:
        """Return the map of a score between two energies; it is made once."""
        return self._judged(signal_range, score).scores

    def _judged(self, signal_range: Range | None, score: Score) -> Found:
        """Return the scores between two energies, and what is lower than bulk gets.

        Of a network without bulk that is rare.
        """

        def made() -> Found:
            measured, expected, judged = self.compared(signal_range)
            if score == "pcc":
                correlation = to_map(pearson_correlation, measured, expected)
                found = find_low_scores(np.where(judged, correlation, np.nan))
            else:
                together = energy_bin(self.axis.dispersion_ev, measured.shape[2])
                bulk = None if self.by_low_rank else expected
                found = find_anomalies(measured, bulk, together, judged)
            if not (self.by_network and found.mask.any()):
                return found
            channels = self.channels_in(signal_range)
            kept = without_rare_bulk(found.mask, self.cube, expected, channels, judged)
            return found.without(found.mask & ~kept)

        return self._once("judged", signal_range, score, made)

    def _phases(self, signal_range: Range | None) -> NDArray[np.intp]:
        """Return the phases of the bulk, which are found once."""

        def made() -> NDArray[np.intp]:
            *_, judged = self.compared(signal_range)
            channels = self.channels_in(signal_range)
            width = energy_bin(self.axis.dispersion_ev, int(channels.sum()))
            return find_phases(self.cube, judged, channels, width)

        return self._once("phases", signal_range, "combined", made)

    def compared(self, signal_range: Range | None) -> tuple[Cube, Cube, NDArray[np.bool_]]:
        """Return what was measured, what is expected between two energies, and where to judge."""
        channels = self.channels_in(signal_range)
        measured, expected = channels_of(self.cube, channels), channels_of(self.spectra, channels)
        # Vacuum without an electron says nothing.
        return measured, expected, self.judged & to_map(_any, measured, dtype=bool)

    @property
    def bulk(self) -> "EELSAnomalySignal":
        """The spectrum image as its bulk would be; lazy if it is."""
        return as_bulk(self.signal, self.spectra, self.provenance["method"])

    def energies(self, signal_range: Range | None) -> NDArray[np.floating]:
        """Return the energies that are compared in a range."""
        return self.axis.values[self.channels_in(signal_range)]

    def _once(
        self, name: str, signal_range: Range | None, score: Score, made: Callable[[], T]
    ) -> T:
        """Return what is made of a range by a score, and make it if it was not yet."""
        key = name, score, self.channels_in(signal_range).tobytes()
        if key not in self._made:
            self._made[key] = made()
            if len(self._made) > _MOST_KEPT:
                del self._made[next(iter(self._made))]
        made_before: T = self._made[key]
        return made_before

    def channels_in(self, signal_range: Range | None) -> NDArray[np.bool_]:
        """Return the channels between two energies that may be compared, if they are enough."""
        inside = self.axis.channels(signal_range)
        energies = self.axis.values[inside]
        asked = f"signal_range ({energies[0]:g}, {energies[-1]:g}) {self.axis.units}"
        channels: NDArray[np.bool_] = inside & self.channels
        if not channels.any():
            raise ValueError(
                f"{asked} lies outside what the model has learnt: choose another range, or train a "
                "model on this one."
            )
        if channels.sum() < _FEWEST_COMPARED:
            raise ValueError(
                f"{asked} leaves {channels.sum()} channels to compare, but at least "
                f"{_FEWEST_COMPARED} are needed: widen it."
            )
        return channels

    def _with_limit(
        self, signal_range: Range | None, score: Score, threshold: Threshold
    ) -> Threshold:
        """Return a threshold that found nothing, with what it would have found in its reason."""

        def made() -> tuple[int, float]:
            return smallest_shift(
                self.cube,
                lambda cube: self.of(cube).scores(signal_range, score),
                self.channels_in(signal_range),
                self.axis.dispersion_ev,
                self.compared(signal_range)[2],
                threshold.value,
            )

        width, shift = self._once("smallest shift", signal_range, score, made)
        where = f"shifted by {shift:.3g} eV within the signal range, in a disc {width} pixels wide"
        if np.isfinite(shift):
            seen = f"Spectra {where}, would have been found."
        else:
            seen = f"No shift of all structure would have been found in a disc {width} pixels wide."
        return replace(threshold, reason=f"{threshold.reason} {seen}")

    def _map(self, name: str, data: NDArray[Any], provenance: dict[str, Any]) -> Any:
        """Return a map as a signal on the axes of the scan."""
        shape = self.signal.axes_manager.navigation_shape[::-1]
        made = self.signal._get_navigation_signal(data=data.reshape(shape))
        title = self.signal.metadata.get_item("General.title", "")
        made.metadata.General.title = " of ".join(part for part in (name, title) if part)
        made.metadata.Signal.quantity = name
        made.metadata.set_item("CVAE", _nodes(provenance))
        return made


def as_bulk(signal: "EELSAnomalySignal", spectra: Cube, method: str) -> "EELSAnomalySignal":
    """Return spectra that a method made of a spectrum image as one; lazy if they are."""
    bulk = signal._deepcopy_with_new_data(spectra.reshape(signal.data.shape))
    if isinstance(spectra, da.Array) != bulk._lazy:
        bulk._lazy = not bulk._lazy
        bulk._assign_subclass()
    bulk.metadata.General.title = f"{signal.metadata.get_item('General.title', '')} {method}"
    return bulk


def _any(block: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(block.any(-1))


def _sum(block: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(block.sum(-1, dtype=float))


def _in_channels(
    cube: Cube,
    *,
    reconstruct: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    channels: NDArray[np.bool_],
) -> NDArray[np.float32]:
    cube = in_memory(cube)
    spectra = np.full(cube.shape, np.nan, np.float32)
    spectra[..., channels] = reconstruct(cube[..., channels])
    return spectra


def _nodes(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return provenance as HyperSpy's metadata names things: nodes capitalised, no spaces."""
    nodes: dict[str, Any] = {}
    for key, value in provenance.items():
        name = key.replace(" ", "_")
        if isinstance(value, dict):
            nodes[name.capitalize()] = _nodes(value)
        else:
            nodes[name] = value
    return nodes
