"""Deciding what is anomalous, with what follows from it at every step."""

from typing import TYPE_CHECKING, Any

import numpy as np
import traits.api as t
from hyperspy.ui_registry import add_gui_method
from numpy.typing import NDArray
from scipy.ndimage import label

from hyperspy_cvae.detection import QUANTITIES, Limit, fixed_threshold
from hyperspy_cvae.plotting import ThresholdPictures

if TYPE_CHECKING:
    from hyperspy_cvae.signals import AnomalyMaps

_COMPARED = ("score", "signal_range")
_METHODS = {"auto": "automatic", "otsu": "by Otsu's threshold", "fixed": "by hand"}


@add_gui_method(toolkey="hyperspy_cvae.AnomalyDecision")
class AnomalyDecision(t.HasTraits):
    """What is anomalous while it is being decided; see :meth:`hyperspy_cvae.AnomalyMaps.decide`.

    Parameters
    ----------
    found
        The maps. They change only by :meth:`apply` and :meth:`reset`.

    Attributes
    ----------
    threshold : float
        Pixels whose score is below are anomalous. It is the automatic one until it is moved.
    method : str
        How the threshold is found: ``"auto"``, ``"otsu"``, or ``"fixed"`` once it is moved.
    smallest_region : int
        Smaller regions, in pixels, are left out.
    score : str
        What spectra are compared by.
    signal_range : tuple of float
        The energies that are compared.
    mask : numpy.ndarray
        What is anomalous by these, boolean, ``(rows, columns)``.
    summary : str
        How much that is; or what is wrong with the settings, which change nothing then.
    map_picture, histogram_picture : bytes
        Both as PNG.
    limits : tuple of float
        The lowest and the highest score.
    energies : tuple of float
        The lowest and the highest that can be compared, ``step`` apart, in ``units``.
    """

    threshold = t.Float()
    method = t.Enum("auto", "otsu", "fixed")
    smallest_region = t.Range(low=1, value=1)
    score = t.Enum(*QUANTITIES)
    signal_range = t.Tuple(t.Float(), t.Float())
    limits = t.Tuple(t.Float(), t.Float())
    mask = t.Array()
    summary = t.Str()
    map_picture = t.Bytes()
    histogram_picture = t.Bytes()
    _following = t.Bool(False)

    def __init__(self, found: "AnomalyMaps") -> None:
        super().__init__()
        self.found = found
        decision = found.provenance["decision"]
        by_hand = decision["by_hand"]
        self._at_first = {
            "method": "fixed" if by_hand else decision["threshold"],
            "threshold": found.threshold.value,
            "smallest_region": decision["smallest_region"],
            "score": found.provenance["score"],
            "signal_range": found.signal_range,
        }
        lowest, *_, highest = found.comparison.energies(None)
        self.energies = float(lowest), float(highest)
        self.step, self.units = found.comparison.axis.scale, found.units
        self._drawn: tuple[Any, ...] = ()
        self._follow(**self._at_first)
        self.observe(self._moved, ["threshold", "method", "smallest_region", *_COMPARED])

    def apply(self) -> None:
        """Take what is shown for the mask and the regions of the maps."""
        self.found.decide(
            self.threshold if self.method == "fixed" else self.method,
            smallest_region=int(self.smallest_region),
            score=self.score,
            signal_range=self.signal_range,
        )

    def reset(self) -> None:
        """Go back to what the maps were at first."""
        self._follow(**self._at_first)
        self.apply()

    def _moved(self, event: Any) -> None:
        if self._following:
            return
        if event.name == "threshold":
            self._follow(method="fixed")
        elif event.name in _COMPARED and self.method == "fixed":
            self._follow(method="auto")  # the same limit would say nothing here
        else:
            self._follow()

    def _follow(self, **settings: Any) -> None:
        """Take over settings, and show what follows from all there are."""
        self._following = True
        try:
            self.trait_set(**settings)
            fixed = self.method == "fixed"
            limit: Limit = fixed_threshold(self.threshold) if fixed else self.method
            comparison, compared = self.found.comparison, (self.signal_range, self.score)
            try:
                mask, threshold = comparison.found(*compared, limit, int(self.smallest_region))
            except ValueError as error:
                self.summary = str(error)
                return
            if compared != self._drawn:
                self._pictures, self._drawn = self._redrawn(comparison.scores(*compared)), compared
                self.limits = self._pictures.limits
            if not fixed and np.isfinite(threshold.value):
                self.threshold = threshold.value
            shape = self.found.mask.data.shape
            self.mask = mask.reshape(shape)
            shown = np.nan if threshold.unimodal else threshold.value
            self.map_picture, self.histogram_picture = self._pictures.of(self.mask, shown)
            judged = np.isfinite(comparison.scores(*compared)).sum()
            regions = label(mask, np.ones((3, 3)))[1]
            self.summary = (
                f"{mask.sum()} of {judged} pixels ({mask.sum() / max(judged, 1):.2%}) in "
                f"{regions} region{'s' * (regions != 1)}, {_METHODS[self.method]}"
            )
        finally:
            self._following = False

    def _redrawn(self, scores: NDArray[np.float64]) -> ThresholdPictures:
        scale, units = self.found.pixel_size
        return ThresholdPictures(
            scores.reshape(self.found.mask.data.shape), QUANTITIES[self.score], scale, units
        )
