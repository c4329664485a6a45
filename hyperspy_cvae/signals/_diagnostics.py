"""What can be asked of a spectrum image about the network that was trained on it."""

from typing import Any

from hyperspy.signals import BaseSignal, Signal1D

from hyperspy_cvae.blocks import computing
from hyperspy_cvae.reconstruction import CVAE
from hyperspy_cvae.signals._arrays import kept_channels
from hyperspy_cvae.signals._comparison import Comparison
from hyperspy_cvae.signals._latent import latent_signal, latent_similarity
from hyperspy_cvae.signals._progress import shown


class NetworkDiagnostics:
    """What :class:`EELSAnomalySignal` can tell of its trained 3D-CVAE."""

    def cvae_latent(self: Any, model: CVAE | None = None) -> Signal1D:
        """Return the latent vectors that a trained 3D-CVAE gives the shards of this scan.

        Shards tile the scan. Where it is no multiple of a shard they overlap, so that they are
        evenly spread.

        Parameters
        ----------
        model
            The model; by default the one that :meth:`train_cvae` left with this signal.

        Returns
        -------
        hyperspy.api.signals.Signal1D
            One latent vector for each shard, at its centre in the units of the scan, to half a
            pixel. ``latent.T.plot()`` shows each number as a map.

        Raises
        ------
        ValueError
            If nothing is trained, or the model does not fit this signal.

        Examples
        --------
        >>> from hyperspy_cvae.phantoms import bifeo3
        >>> s = bifeo3((32, 48), 64, offset=690).signal
        >>> model = s.train_cvae(epochs=1)
        >>> s.cvae_latent()
        <Signal1D, title: Latent vectors of BiFeO3 phantom, dimensions: (2, 2|48)>
        """
        with computing(self._lazy):
            return latent_signal(self, self._needed_cvae(model))

    def plot_latent_similarity(self: Any, other: BaseSignal, *, model: CVAE | None = None) -> None:
        """Plot how similar the latent vectors of this spectrum image are to those of another.

        The paper's figure 5: if this one is clean and the other the same with anomalies injected,
        a diagonal close to 1 says that the network takes each shard for the same bulk with
        anomalies as without. The figure is pyplot's current one afterwards.

        Parameters
        ----------
        other
            A spectrum image of a scan of the same shape.
        model
            The model; by default the one that :meth:`train_cvae` left with this signal.

        Raises
        ------
        ValueError
            If nothing is trained, the model does not fit, or the scans differ in shape.
        """
        from hyperspy_cvae.plotting import plot_latent_similarity

        with computing(self._lazy or other._lazy):
            similarity = latent_similarity(self, other, self._needed_cvae(model))
        plot_latent_similarity(similarity, self.metadata.get_item("General.title", ""))

    def plot_reconstruction_quality(
        self: Any,
        signal_range: tuple[float, float] | None = None,
        *,
        model: CVAE | None = None,
        n_components: int = 10,
        navigation_mask: Any = None,
        signal_mask: Any = None,
        show_progressbar: bool | None = None,
    ) -> None:
        """Plot how many principal components reconstruct as well as a trained 3D-CVAE.

        On the left, the scree plot of HyperSpy's PCA, made anew without touching one that is kept
        with this signal; on the right, how far PCA with 1, 2, ... components and the 3D-CVAE are
        from a second recording of the same spectra, in units of its noise. See
        :func:`hyperspy_cvae.detection.reconstruction_quality`. A small misfit is not all: what
        PCA fits well may be anomalies. The figure is pyplot's current one afterwards.

        Parameters
        ----------
        signal_range
            ``(low, high)`` in units of the energy axis: where to compare; the whole axis by
            default. The components are those of all channels that the model has learnt.
        model
            The model; by default the one that :meth:`train_cvae` left with this signal.
        n_components
            Largest number of components.
        navigation_mask
            Pixels to leave out, True where excluded: a signal, or an array of shape
            ``axes_manager.navigation_shape``.
        signal_mask
            Channels not to compare, True where excluded.
        show_progressbar
            None for HyperSpy's preference.

        Raises
        ------
        ValueError
            If nothing is trained, the model does not fit, or there are too few spectra for so many
            components.
        """
        from hyperspy_cvae.plotting import plot_reconstruction_quality

        model = self._needed_cvae(model)
        kept_channels(self, signal_mask, signal_range)  # refuses what leaves nothing
        show = shown(show_progressbar)
        with self._recorded(navigation_mask, signal_mask, show) as recorded:
            comparison = Comparison.with_network(recorded, model)
        with computing(self._lazy, show):
            quality = comparison.quality(signal_range, n_components)
        low, *_, high = comparison.energies(signal_range)
        plot_reconstruction_quality(
            quality,
            title=self.metadata.get_item("General.title", ""),
            signal_range_label=f"{low:.6g}-{high:.6g} {comparison.axis.units}".rstrip(),
        )
