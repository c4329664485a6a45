"""The signal classes."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, Literal, get_args

import numpy as np
from exspy.signals import EELSSpectrum, LazyEELSSpectrum
from threadpoolctl import threadpool_limits

from hyperspy_cvae.blocks import computing, in_blocks, in_memory
from hyperspy_cvae.detection import Score, as_limit, check_score
from hyperspy_cvae.networks import network_config
from hyperspy_cvae.preprocessing import Counts
from hyperspy_cvae.progress import Progress
from hyperspy_cvae.reconstruction import CVAE, PAPER_CVAE, CVAEConfig
from hyperspy_cvae.signals._arrays import (
    Recorded,
    counts,
    energy_axis,
    kept_channels,
    kept_pixels,
    recorded,
)
from hyperspy_cvae.signals._choice import after_training, choose
from hyperspy_cvae.signals._comparison import SHARES, Comparison, as_bulk
from hyperspy_cvae.signals._diagnostics import NetworkDiagnostics
from hyperspy_cvae.signals._evaluated import Evaluated
from hyperspy_cvae.signals._maps import AnomalyMaps
from hyperspy_cvae.signals._progress import shown
from hyperspy_cvae.training import TrainingConfig

_RESULT = "cvae"

Range = tuple[float, float]

Method = Literal["auto", "cvae", "lowrank", "pca"]
"""What the bulk is learnt by."""


class EELSAnomalySignal(Evaluated, NetworkDiagnostics, EELSSpectrum):
    """An EELS spectrum image that can be searched for anomalies.

    All that :class:`exspy.signals.EELSSpectrum` offers works on it.

    Examples
    --------
    >>> from hyperspy_cvae.phantoms import PeakShift, bifeo3
    >>> s = bifeo3((24, 24), 160, offset=690, anomaly=PeakShift(radius=2, discs=2)).signal
    >>> model = s.train_cvae(epochs=24)
    >>> found = s.detect_anomalies(signal_range=(690.0, 730.0))
    >>> found.pcc
    <Signal2D, title: PCC of BiFeO3 phantom, dimensions: (|24, 24)>
    """

    _signal_type = "EELSAnomaly"
    _alias_signal_types: list[str] = []  # noqa: RUF012

    def train_cvae(
        self,
        network: Literal["compact", "paper"] = "compact",
        *,
        latent: int = 48,
        beta: float = 1.2,
        shard_size: int = 24,
        overlap: float = 0.5,
        epochs: int | None = None,
        seed: int = 0,
        device: str = "auto",
        signal_range: Range | None = None,
        navigation_mask: Any = None,
        signal_mask: Any = None,
        show_progressbar: bool | None = None,
        **training: Any,
    ) -> CVAE:
        """Train a 3D-CVAE on this spectrum image.

        The result is also kept in ``s.learning_results.cvae``, beside a decomposition, and saved
        with the signal. Interrupting (Jupyter's stop button, Ctrl-C) keeps what was learnt
        so far.

        Parameters
        ----------
        network
            ``"compact"``, trained in half a minute on a processor, or ``"paper"``, as published,
            which needs a GPU.
        latent
            Length of the latent vector of a shard.
        beta
            Weight of the KL divergence (eq. 1).
        shard_size
            Rows and columns of a shard; fewer are taken of small scans.
        overlap
            Fraction of a shard that neighbours share in a reconstruction.
        epochs
            How long to train: each has up to 40 steps, fewer on a small scan. By default 48, and
            300 for the published network, of 64 steps each.
        seed
            The same seed on the same machine gives the same maps.
        device
            ``"auto"`` takes CUDA or MPS where present.
        signal_range
            ``(low, high)`` in units of the energy axis: what to learn; the whole axis by default.
        navigation_mask
            Pixels not to train on, True where excluded: a signal, or an array of shape
            ``axes_manager.navigation_shape``.
        signal_mask
            Channels not to learn, True where excluded.
        show_progressbar
            None for HyperSpy's preference.
        **training
            Other settings of :class:`hyperspy_cvae.training.TrainingConfig`.

        Returns
        -------
        CVAE
            The trained model, for other spectrum images and for a file: ``model.save(...)``.

        Raises
        ------
        ValueError
            If a parameter or the data cannot be used.
        hyperspy_cvae.training.TrainingError
            If memory is lacking, or the loss is no longer finite.
        """
        defaults = PAPER_CVAE if network == "paper" else CVAEConfig()
        known = {item.name for item in fields(TrainingConfig)}
        if unknown := sorted(training.keys() - known):
            raise TypeError(
                f"{unknown[0]!r} is no setting of the training: choose among {sorted(known)}."
            )
        if epochs is not None:
            training["epochs"] = epochs
        config = replace(
            defaults,
            network=network_config(network, latent=latent),
            training=replace(defaults.training, beta=beta, **training),
            shard_size=shard_size,
            overlap=overlap,
            seed=seed,
        )
        model = CVAE(config, device)
        channels = kept_channels(self, signal_mask, signal_range)
        pixels = kept_pixels(self, navigation_mask)
        with computing(self._lazy):
            found = counts(self)
            found = found._replace(judged=found.judged & pixels, alive=found.alive & channels)
            return self._trained(model, found, shown(show_progressbar))

    def _trained(self, model: CVAE, found: Counts, show_progressbar: bool) -> CVAE:
        """Train a model on these counts, and keep it with this signal."""
        model.fit(
            found.cube,
            found.judged,
            channels=found.alive,
            axis=energy_axis(self),
            show_progressbar=show_progressbar,
        )
        setattr(self.learning_results, _RESULT, np.frombuffer(model.to_bytes(), np.uint8))
        return model

    def cvae_reconstruct(
        self, model: CVAE | None = None, *, lazy_output: bool | None = None
    ) -> "EELSAnomalySignal":
        """Return this spectrum image as its bulk would be, from a trained 3D-CVAE.

        Parameters
        ----------
        model
            The model; by default the one that :meth:`train_cvae` left with this signal.
        lazy_output
            Whether the result is to be lazy, its blocks kept on disk for as long as it lives; by
            default if this signal is.

        Returns
        -------
        EELSAnomalySignal
            Counts on the same axes, float32. NaN in channels that the model did not learn.

        Raises
        ------
        ValueError
            If nothing is trained, or the model does not fit this signal.
        """
        model = self._needed_cvae(model)
        lazy = self._lazy if lazy_output is None else lazy_output
        axis = energy_axis(self)
        with computing(self._lazy):
            cube = counts(self).cube
            spectra = model.reconstruct(in_blocks(cube) if lazy else in_memory(cube), axis)
        return as_bulk(self, spectra, "3D-CVAE")

    def detect_anomalies(
        self,
        signal_range: Range | None = None,
        *,
        method: Method = "auto",
        n_components: int = 4,
        model: CVAE | None = None,
        score: Score = "combined",
        threshold: Literal["auto", "otsu"] | float = "auto",
        navigation_mask: Any = None,
        signal_mask: Any = None,
        seed: int = 0,
        show_progressbar: bool | None = None,
    ) -> AnomalyMaps:
        """Find the pixels whose spectra the bulk does not explain.

        Every spectrum is compared with what the bulk would give in its place. The paper takes a
        network for that, the Pearson correlation (PCC, eq. 4) and Otsu's threshold:
        ``method="cvae", score="pcc", threshold="otsu"``. The defaults take the simplest that
        explains the bulk, and see fainter anomalies.

        Parameters
        ----------
        signal_range
            ``(low, high)`` in units of the energy axis: where to compare; the whole axis by
            default.
        method
            What the bulk is learnt by. ``"auto"``: the network that is given or kept with this
            signal; else a low rank, if the scan has fewer than 1024 pixels or a single component
            explains its bulk; else a network is trained, and taken if it reconstructs better than
            the low rank. ``found`` says which, and why. ``"cvae"``: a network in any case.
            ``"lowrank"``: as many principal components as rise above the noise, found without what
            is rare. ``"pca"``: the first components of HyperSpy's ``decomposition()``, without
            touching one that is kept with this signal.
        n_components
            Number of components for ``"pca"``.
        model
            A trained model to judge with, of this or another spectrum image; its energy axis is
            resampled where that is sound.
        score
            What spectra are compared by: ``"pcc"``, the paper's, or ``"combined"``: the largest of
            many deviations, from single channels and pixels to broad bands and regions. See
            :func:`hyperspy_cvae.detection.find_anomalies`.
        threshold
            ``"auto"``: regions that score lower than bulk does in such a scan, with a probability
            of 5 % that there is one by chance. Of a network, regions are set aside as rare bulk if
            their other energies predict them
            (:func:`hyperspy_cvae.detection.without_rare_bulk`). If nothing is found, shifts of
            known size are injected and the scan is judged again, to say which would have been
            found.
            ``"otsu"``: Otsu's threshold of the score, refused where it lies in no valley of their
            histogram (a clean specimen). Or a limit of your own, in units of the score.
        navigation_mask
            Pixels not to judge, True where excluded: a signal, or an array of shape
            ``axes_manager.navigation_shape``.
        signal_mask
            Channels not to compare, True where excluded.
        seed
            Of a network that is trained here: the same seed gives the same maps.
        show_progressbar
            None for HyperSpy's preference.

        Returns
        -------
        AnomalyMaps
            ``found.pcc``, ``found.score`` and ``found.mask`` are signals on the axes of the scan,
            ``found.regions`` is a table.

        Raises
        ------
        ValueError
            If a parameter, the model or the data cannot be used.

        Warns
        -----
        UserWarning
            If the mean spectrum, or the median of a tile, explains the spectrum image as well as
            the network does.
        """
        if method not in get_args(Method):
            known = ", ".join(map(repr, get_args(Method)))
            raise ValueError(f"method is {method!r}: choose one of {known}.")
        if method in ("pca", "lowrank") and model is not None:
            raise ValueError(
                f"model was given with method={method!r}, which takes none: leave it out."
            )
        check_score(score)
        limit = as_limit(threshold)
        kept_channels(self, signal_mask, signal_range)  # refuses what leaves nothing
        show = shown(show_progressbar)
        if method in ("auto", "cvae"):
            model = model or self._trained_cvae()
        if method == "cvae" and model is None:
            self._warn_that_one_is_trained()
        # Of a lazy spectrum image there is a bar for each pass over it.
        with self._computing(show):
            counted = recorded(self, navigation_mask, signal_mask)
            choice = None if method != "auto" or model else choose(counted)
        if (choice and choice.network) or (method == "cvae" and model is None):
            with computing(self._lazy):
                found = Counts(counted.cube, counted.judged, counted.alive)
                model = self._trained(CVAE(CVAEConfig(seed=seed)), found, show)
        with (
            self._computing(show),
            Progress(
                sum(SHARES.values()), "Detecting anomalies", "%", show and not self._lazy
            ) as progress,
        ):
            progress.update(0, "reconstructing")
            comparison = None
            if model is not None:
                comparison = Comparison.with_network(counted, model)
                if choice:
                    quality = comparison.quality(signal_range, choice.components)
                    choice = after_training(choice, quality)
                else:
                    comparison.warn_if_simpler(signal_range)
            if method == "pca":
                comparison = Comparison.with_pca(counted, n_components)
            elif comparison is None or (choice and not choice.network):
                comparison = Comparison.with_low_rank(counted)
            if choice:
                comparison.provenance["choice"] = choice.why
                if not choice.network and model is not None:
                    del self.learning_results.cvae  # which would be taken the next time
            progress.update(SHARES["reconstructing"], "scoring")
            return comparison.judge(signal_range, score, limit, progress=progress)

    @contextmanager
    def _computing(self, show_progressbar: bool = False) -> Iterator[None]:
        """Compute with as many threads as are of use."""
        # The threads are dask's: those of a product of matrices would be in their way.
        with computing(self._lazy, show_progressbar), threadpool_limits(1, "blas"):
            yield

    @contextmanager
    def _recorded(
        self, navigation_mask: Any, signal_mask: Any, show_progressbar: bool = False
    ) -> Iterator[Recorded]:
        """Compute with what was recorded, without what is masked."""
        with self._computing(show_progressbar):
            yield recorded(self, navigation_mask, signal_mask)

    def _model(
        self,
        model: CVAE | None,
        navigation_mask: Any,
        show_progressbar: bool | None,
    ) -> CVAE:
        """Return the model given, or the one kept with this signal, or one trained now."""
        model = model or self._trained_cvae()
        if model is None:
            self._warn_that_one_is_trained(stacklevel=4)
            model = self.train_cvae(
                navigation_mask=navigation_mask, show_progressbar=show_progressbar
            )
        return model

    def _warn_that_one_is_trained(self, stacklevel: int = 3) -> None:
        warnings.warn(
            "No trained 3D-CVAE is kept with this signal: training one with defaults first "
            "(s.train_cvae() with settings of your own avoids this).",
            stacklevel=stacklevel,
        )

    def _trained_cvae(self) -> CVAE | None:
        """Return the model kept with this signal, if there is one."""
        kept = getattr(self.learning_results, _RESULT, None)
        return None if kept is None else CVAE.from_bytes(np.asarray(kept).tobytes())

    def _needed_cvae(self, model: CVAE | None) -> CVAE:
        """Return the model given, or the one kept with this signal, which must be there."""
        model = model or self._trained_cvae()
        if model is None:
            raise ValueError(
                f"{self} has no trained 3D-CVAE: call s.train_cvae() first, or pass model=."
            )
        return model


class LazyEELSAnomalySignal(EELSAnomalySignal, LazyEELSSpectrum):
    """The lazy twin of :class:`EELSAnomalySignal`."""
