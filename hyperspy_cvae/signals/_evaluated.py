"""The methods of a signal that tell what could be found in it."""

from collections.abc import Sequence
from typing import Any, Literal

from hyperspy_cvae.detection import Score, as_limit, check_score
from hyperspy_cvae.evaluation import Kind, shift_sizes
from hyperspy_cvae.reconstruction import CVAE
from hyperspy_cvae.signals._arrays import energy_axis, kept_channels, scan
from hyperspy_cvae.signals._comparison import Comparison
from hyperspy_cvae.signals._detection_limit import Anomalies, DetectionLimit, find_limit
from hyperspy_cvae.signals._detectors import Asked, ComparedDetectors, compare
from hyperspy_cvae.signals._progress import shown


class Evaluated:
    """What :class:`EELSAnomalySignal` can tell of its detectors."""

    def compare_detectors(
        self: Any,
        signal_range: tuple[float, float] | None = None,
        *,
        model: CVAE | None = None,
        score: Score = "combined",
        threshold: Literal["auto", "otsu"] | float = "auto",
        shifts: Sequence[float] | None = None,
        navigation_mask: Any = None,
        signal_mask: Any = None,
        seed: int = 0,
        show_progressbar: bool | None = None,
    ) -> ComparedDetectors:
        """Find out which detector finds what here, and whether the network is worth it.

        The 3D-CVAE, low rank, PCA with 3, 4 and 5 components, the median of a tile and the mean
        spectrum judge this spectrum image by the same score and threshold. Nobody knows what of
        that is true, so shifts of known size are injected as well: into discs of 3 pixels' radius
        that are 2 % of the pixels, in as many scans as make them at least five. What any detector
        finds already, and what lies within 3 pixels of it, is left out of these scans for all, as
        it would be mistaken for what is injected. Each detector is fitted once, to the spectrum
        image as it is, and reconstructs the injected ones with what it has learnt, so that none has
        seen a disc; only the median of a tile learns nothing, and is that of the injected counts.

        Parameters
        ----------
        signal_range
            ``(low, high)`` in units of the energy axis: where to compare and to inject; the whole
            axis by default.
        model
            A trained model; by default that kept with this signal, and if nothing is trained, one
            is trained with defaults first. Channels that it has not learnt are compared by none.
        score, threshold
            For all detectors, as for :meth:`detect_anomalies`.
        shifts
            Sizes in eV, rounded to whole channels, by which all structure in the signal range is
            moved to higher energy; by default five from 0.3 to 4.8 eV, less in ranges below
            37.5 eV.
        navigation_mask, signal_mask
            Pixels and channels to leave out, True where excluded.
        seed
            The same seed gives the same discs.
        show_progressbar
            None for HyperSpy's preference.

        Returns
        -------
        ComparedDetectors
            ``compared.found`` holds the maps, ``compared.table`` a line for each detector.

        Raises
        ------
        ValueError
            If a parameter, the model or the data cannot be used, or discs have no room.

        Notes
        -----
        A lazy spectrum image is read into memory, as PCA and medians need it. The maps of each
        detector keep what it expects, which is in a temporary file if it is large.

        Examples
        --------
        >>> from hyperspy_cvae.phantoms import bifeo3
        >>> s = bifeo3((20, 20), 64, offset=690, dispersion=0.7).signal
        >>> model = s.train_cvae(epochs=1)
        >>> compared = s.compare_detectors(score="pcc", shifts=(1.4,))
        >>> compared.table.columns.to_list()
        ['pixels', 'regions', 'seconds', 'smallest_shift', '1.4 eV']
        """
        check_score(score)
        limit = as_limit(threshold)
        inside = kept_channels(self, signal_mask, signal_range)
        shift_sizes(shifts, inside, energy_axis(self).dispersion_ev, "shifts")
        model = self._model(model, navigation_mask, show_progressbar)
        signal = self.deepcopy() if self._lazy else self
        if self._lazy:
            signal.compute(show_progressbar=shown(show_progressbar))
        asked = Asked(signal_range, score, limit)
        with signal._recorded(navigation_mask, signal_mask) as recorded:
            return compare(recorded, model, asked, shifts, seed, shown(show_progressbar))

    def detection_limit(
        self: Any,
        signal_range: tuple[float, float] | None = None,
        *,
        kind: Kind = "shift",
        sizes: Sequence[float] | None = None,
        fractions: Sequence[float] = (0.002, 0.01),
        radius: float = 3,
        energy: float | None = None,
        model: CVAE | None = None,
        score: Score = "combined",
        navigation_mask: Any = None,
        signal_mask: Any = None,
        seed: int = 0,
        show_progressbar: bool | None = None,
    ) -> DetectionLimit:
        """Find out how small an anomaly could have been to be found here.

        Anomalies of known size are injected into discs of the recorded counts, off dark pixels, and
        the spectrum image is judged again with the automatic threshold. What is anomalous already,
        and what lies within 3 pixels of it, is left out of that: together with what is injected it
        might be too much for exceptions. The network is not trained anew: had there been such an
        anomaly in training, it might have learnt a little of it and would find a little less.

        Parameters
        ----------
        signal_range
            ``(low, high)`` in units of the energy axis: where to compare and to inject; the whole
            axis by default.
        kind
            ``"shift"``: all structure in the signal range lies higher in energy by whole channels,
            with ``sizes`` in eV. ``"peak"``: one Gaussian peak more, with a full width at half
            maximum of 1.5 eV, less in ranges below 37.5 eV. ``"edge"``: a step that begins at
            ``energy`` and stays, as of a dopant's edge. For both, ``sizes`` are heights relative to
            the counts there, and what is added has the noise of this spectrum image; see
            :class:`hyperspy_cvae.evaluation.Addition`.
        sizes
            By default five: shifts from 0.3 to 4.8 eV (less in ranges below 37.5 eV), peaks from
            0.1 to 2, edges from 0.02 to 0.5.
        fractions
            Shares of the judged pixels that are anomalous at a time. Where these are few discs,
            there are as many scans as make them at least five. The automatic threshold looks for
            exceptions; 5 % or more are a second kind of bulk to it, in which it may find nothing.
        radius
            Radius of the discs in pixels; smaller where one disc were more than its fraction. In a
            line scan they are stretches.
        energy
            Where the peak lies or the edge begins, in units of the energy axis; the middle of the
            signal range by default.
        model
            A trained model; by default that kept with this signal, and if nothing is trained, one
            is trained with defaults first.
        score
            What spectra are compared by, as for :meth:`detect_anomalies`.
        navigation_mask, signal_mask
            Pixels and channels to leave out, True where excluded.
        seed
            The same seed gives the same discs and the same noise.
        show_progressbar
            None for HyperSpy's preference.

        Returns
        -------
        DetectionLimit
            ``limit.table`` has a line for each size and fraction; ``limit.smallest(0.01)`` is the
            size from which on at least half of the discs are found.

        Raises
        ------
        ValueError
            If a parameter, the model or the data cannot be used, or discs have no room.

        Examples
        --------
        >>> from hyperspy_cvae.phantoms import bifeo3
        >>> s = bifeo3((20, 20), 64, offset=690, dispersion=0.7).signal
        >>> model = s.train_cvae(epochs=1)
        >>> limit = s.detection_limit(score="pcc", sizes=(1, 2), fractions=(0.02,))
        >>> limit.table[["size", "unit", "scans", "discs"]]
           size unit  scans  discs
        0   0.7   eV      5      5
        1   2.1   eV      5      5
        """
        check_score(score)
        anomalies = Anomalies(kind, sizes, fractions, radius, energy)
        inside = kept_channels(self, signal_mask, signal_range)
        anomalies.check(inside, energy_axis(self), scan(self))
        model = self._model(model, navigation_mask, show_progressbar)
        with self._recorded(navigation_mask, signal_mask) as recorded:
            comparison = Comparison.with_network(recorded, model)
            show = shown(show_progressbar)
            return find_limit(comparison, signal_range, score, anomalies, seed, show)
