"""The 3D-CVAE as a reconstructor: configured, trained, saved and loaded."""

import os
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hyperspy_cvae import modelfile
from hyperspy_cvae._version import __version__
from hyperspy_cvae.blocks import AnyCube, Cube, blockwise, in_blocks, in_memory, kept, replaced
from hyperspy_cvae.networks import (
    CVAENetwork,
    build_network,
    network_config,
    network_name,
)
from hyperspy_cvae.preprocessing import Preprocessing
from hyperspy_cvae.reconstruction._config import CVAEConfig
from hyperspy_cvae.reconstruction._corrected import corrected
from hyperspy_cvae.reconstruction._energy import EnergyAxis, resample
from hyperspy_cvae.reconstruction._second_look import second_look
from hyperspy_cvae.reconstruction._shardwise import Shardwise
from hyperspy_cvae.shards import shard_size, starts
from hyperspy_cvae.training import (
    History,
    TrainingConfig,
    check_cost,
    choose_device,
    train,
)

_STATE = "network."


class CVAE:
    """A 3D convolutional variational autoencoder of a spectrum image's bulk.

    Parameters
    ----------
    config
        Network, training, preprocessing and shards.
    device
        ``"auto"`` takes CUDA or MPS where present; or a name that torch knows.

    Attributes
    ----------
    axis
        Energy axis of what it was trained on; None if it never was told.
    channels
        Channels of that axis that it learnt, ``(energy,)``; None before training.
    shape
        Rows and columns of a shard; None before training.
    history
        What happened during training; None before.

    Examples
    --------
    >>> from hyperspy_cvae.phantoms import bifeo3
    >>> from hyperspy_cvae.training import TrainingConfig
    >>> cube = bifeo3((16, 16), channels=64, offset=690).signal.data
    >>> model = CVAE(CVAEConfig(training=TrainingConfig(epochs=1))).fit(cube)
    >>> model.reconstruct(cube).shape
    (16, 16, 64)
    """

    def __init__(self, config: CVAEConfig | None = None, device: str = "auto") -> None:
        self.config = config or CVAEConfig()
        self.device = choose_device(device)
        self.axis: EnergyAxis | None = None
        self.channels: NDArray[np.bool_] | None = None
        self.shape: tuple[int, int] | None = None
        self.history: History | None = None
        self._network: CVAENetwork | None = None

    def fit(
        self,
        cube: Cube,
        use: NDArray[np.bool_] | None = None,
        *,
        channels: NDArray[np.bool_] | None = None,
        axis: EnergyAxis | None = None,
        show_progressbar: bool = False,
    ) -> "CVAE":
        """Train on the spectra of a cube.

        Parameters
        ----------
        cube
            Counts ``(rows, columns, energy)``, float32, finite; left as they are. Of a dask array
            shards are read as they are needed.
        use
            Spectra to train on, boolean ``(rows, columns)``; all by default.
        channels
            Channels to learn, boolean ``(energy,)``; all by default.
        axis
            Energy axis of the cube, kept with the model.
        show_progressbar
            Whether to show progress, loss and the time left.

        Raises
        ------
        hyperspy_cvae.training.TrainingError
            If training cannot start, or its loss is no longer finite.
        """
        rows, columns, energy = cube.shape
        use = np.ones((rows, columns), bool) if use is None else use
        channels = np.ones(energy, bool) if channels is None else channels
        largest = self.config.shard_size
        shape = shard_size(rows, largest), shard_size(columns, largest)
        size = (*shape, int(channels.sum()))
        check_cost(size, self.config.network, self.config.training, self.device, (rows, columns))
        network = build_network(size, self.config.network)
        intensities, _ = self.config.preprocessing.apply(_take(cube, channels))
        self.history = train(
            network,
            intensities,
            use,
            self.config.training,
            shape=shape,
            margin=self._margin(shape),
            seed=self.config.seed,
            device=self.device,
            show_progressbar=show_progressbar,
        )
        self._network, self.shape, self.channels, self.axis = network, shape, channels, axis
        return self

    def reconstruct(self, cube: AnyCube, axis: EnergyAxis | None = None) -> AnyCube:
        """Return the counts of a cube as the bulk would give them.

        Every spectrum is ``softmax(network output)`` over energy times the spectrum's own total
        (eq. 2), blended over overlapping shards. A network that is shown something foreign follows
        it a little: with ``config.second_look``, what does not fit within the noise is replaced by
        what the rest of the spectrum lets expect. With ``config.correction`` what it misses
        systematically is added.

        Parameters
        ----------
        cube
            Counts ``(rows, columns, energy)``, float32, finite; left as they are. A dask array is
            judged block by block: it may be larger than memory, and so may the result, which is a
            dask array then, of blocks that are kept on disk.
        axis
            Energy axis of the cube. If it is not the one of the training, the cube is resampled
            onto that one and the reconstruction back.

        Returns
        -------
        numpy.ndarray or dask.array.Array
            Shape of ``cube``; NaN in channels that were not learnt.

        Raises
        ------
        ValueError
            If the model is not trained, or the axis or the scan does not fit it.
        """
        _, _, channels = self._trained()
        own = self.axis
        if axis is not None and own is not None and axis != own:
            axis.check_covers(own)
            spectra: Any = resample(self.reconstruct(resample(cube, axis, own)), own, axis)
            return np.where(axis.inside(own), spectra, np.float32(np.nan))  # type: ignore[return-value]
        self._check_fits(cube)
        intensities: Any
        intensities, (offset, scale) = self.config.preprocessing.apply(_take(cube, channels))

        def counts(block: NDArray[np.float32]) -> NDArray[np.float32]:
            if (offset, scale) != (0, 1):
                block = block * np.float32(scale) + np.float32(offset)
            if channels.all():
                return block
            everything = np.full((*block.shape[:2], channels.size), np.nan, np.float32)
            everything[..., channels] = block
            return everything

        if isinstance(cube, np.ndarray):
            spectra = self._shardwise.blended(intensities, cube.shape[:2])
            if self.config.second_look:
                mended, instead = second_look(intensities, spectra)
                spectra[mended] = instead
            if self.config.correction:
                spectra = corrected(intensities, spectra)
            return counts(spectra)
        first = kept(self._shardwise.by_tiles(in_blocks(intensities)))
        if self.config.second_look:
            first = replaced(first, *second_look(intensities, first))
        if self.config.correction:
            first = corrected(intensities, first)
        return blockwise(counts, first, channels=channels.size)

    def latent(self, cube: Cube, axis: EnergyAxis | None = None) -> NDArray[np.float32]:
        """Return the latent vectors of shards that tile a cube, ``(rows, columns, latent)``.

        They are the means of what the encoder tells of a shard; where the shards lie is told by
        :meth:`tiling`.

        Parameters
        ----------
        cube
            Counts ``(rows, columns, energy)``, float32, finite. Of a dask array a row of shards is
            in memory at a time.
        axis
            Energy axis of the cube. If it is not the one of the training, the cube is resampled
            onto that one.

        Raises
        ------
        ValueError
            If the model is not trained, or the axis or the scan does not fit it.
        """
        network, shape, channels = self._trained()
        if axis is not None and self.axis is not None and axis != self.axis:
            axis.check_covers(self.axis)
            cube = resample(cube, axis, self.axis)
        self._check_fits(cube)
        intensities, _ = self.config.preprocessing.apply(_take(cube, channels))
        scan = intensities.shape[:2]
        rows, columns = (each.tolist() for each in self.tiling(scan))
        vectors = []
        for row in rows:
            shards_of_row = in_memory(intensities[row : row + shape[0]])
            corners = [(row, column) for column in columns]
            for _, shards in self._shardwise.batches(shards_of_row, scan, corners, (row, 0)):
                vectors.append(network.encode(shards)[0].cpu().numpy())
        return np.concatenate(vectors).reshape(len(rows), len(columns), -1)

    def tiling(self, scan: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the first rows and the first columns of shards that tile a scan.

        They are evenly spread, to a pixel: where a scan is no multiple of a shard, neighbours
        overlap.
        """
        _, shape, _ = self._trained()
        rows, columns = (starts(n, size, size) for n, size in zip(scan, shape, strict=True))
        return rows, columns

    def plot_history(self) -> None:
        """Plot how the training went, epoch by epoch.

        Above, the cross-entropy above the entropy of the data, of held-out tiles too where there
        are any, and the epoch whose weights are kept; below, the divergence. The figure is pyplot's
        current one afterwards, ``matplotlib.pyplot.gcf()``.

        Raises
        ------
        ValueError
            If the model is not trained.
        """
        from hyperspy_cvae.plotting import plot_history

        self._trained()
        assert self.history is not None
        plot_history(self.history)

    def describe(self) -> dict[str, Any]:
        """Return what the model is, as plain values under readable names."""
        network, shape, channels = self._trained()
        assert self.history is not None
        return {
            "network": network_name(self.config.network),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "latent": self.config.network.latent,
            "shard": f"{shape[0]} x {shape[1]} x {int(channels.sum())}",
            "energy axis": str(self.axis) if self.axis else "unknown",
            "beta": self.config.training.beta,
            "seed": self.config.seed,
            "epochs": len(self.history.cross_entropy),
            "best epoch": self.history.best_epoch,
            "stopped": self.history.stopped,
            "hyperspy_cvae": self.version,
        }

    version = __version__
    """Version of the package that trained the model."""

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Save the model to one ``.safetensors`` file; see :mod:`hyperspy_cvae.modelfile`.

        Weights, configuration, preprocessing, energy axis, history and versions are kept.
        """
        arrays, description = self._content()
        modelfile.write(path, arrays, description, overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: str = "auto") -> "CVAE":
        """Load a model that :meth:`save` has written.

        Raises
        ------
        hyperspy_cvae.modelfile.ModelFileError
            If the file is no intact model of this package.
        """
        return cls._from_content(*modelfile.read(path), name=repr(str(path)), device=device)

    def to_bytes(self) -> bytes:
        """Return the model as the bytes of its file."""
        return modelfile.to_bytes(*self._content())

    @classmethod
    def from_bytes(cls, data: bytes, device: str = "auto") -> "CVAE":
        """Return the model in the bytes of its file."""
        return cls._from_content(*modelfile.from_bytes(data), name="The model", device=device)

    def _trained(self) -> tuple[CVAENetwork, tuple[int, int], NDArray[np.bool_]]:
        if self._network is None or self.shape is None or self.channels is None:
            raise ValueError("The model is not trained yet: call fit, or load a trained one.")
        return self._network, self.shape, self.channels

    def _check_fits(self, cube: Cube) -> None:
        _, shape, channels = self._trained()
        if cube.shape[2] != channels.size:
            raise ValueError(
                f"The spectrum image has {cube.shape[2]} channels, but the model was trained on "
                f"{channels.size}: use the spectrum image's own model."
            )
        if any(n < m for n, m in zip(cube.shape[:2], shape, strict=True)):
            raise ValueError(
                f"The scan of {cube.shape[0]} x {cube.shape[1]} pixels is smaller than the shards "
                f"of {shape[0]} x {shape[1]} that the model was trained on: train a model on this "
                "spectrum image."
            )

    def _margin(self, shape: tuple[int, int]) -> tuple[int, int]:
        return int(shape[0] * self.config.margin), int(shape[1] * self.config.margin)

    @property
    def _shardwise(self) -> Shardwise:
        network, shape, _ = self._trained()
        return Shardwise(network, shape, self._margin(shape), self.config.overlap, self.device)

    def _content(self) -> tuple[modelfile.Arrays, dict[str, Any]]:
        network, shape, channels = self._trained()
        assert self.history is not None
        arrays: modelfile.Arrays = {
            _STATE + name: value.cpu().numpy() for name, value in network.state_dict().items()
        }
        arrays["channels"] = channels
        config = asdict(self.config)
        config["network"] = {
            "name": network_name(self.config.network),
            **asdict(self.config.network),
        }
        description = {
            "config": config,
            "shape": shape,
            "axis": asdict(self.axis) if self.axis else None,
            "history": asdict(self.history),
            "versions": {"hyperspy_cvae": self.version, "torch": torch.__version__},
        }
        return arrays, description

    @classmethod
    def _from_content(
        cls, arrays: modelfile.Arrays, description: dict[str, Any], name: str, device: str
    ) -> "CVAE":
        try:
            settings = _tuples(description["config"])
            network = settings.pop("network")
            config = CVAEConfig(
                network=network_config(network.pop("name"), **network),
                training=TrainingConfig(**settings.pop("training")),
                preprocessing=Preprocessing(**settings.pop("preprocessing")),
                **settings,
            )
            model = cls(config, device)
            rows, columns = description["shape"]
            model.shape = (rows, columns)
            model.channels = arrays.pop("channels").astype(bool)
            model.axis = EnergyAxis(**description["axis"]) if description["axis"] else None
            model.history = History(**description["history"])
            model.version = description["versions"]["hyperspy_cvae"]
            size = (rows, columns, int(model.channels.sum()))
            with torch.device("meta"):
                built = build_network(size, config.network)
            weights = {
                key.removeprefix(_STATE): torch.from_numpy(array) for key, array in arrays.items()
            }
            built.load_state_dict(weights, assign=True)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise modelfile.ModelFileError(
                f"{name} does not describe a network of this version of hyperspy_cvae "
                f"({__version__}): train the model again, or use the version that wrote it. "
                f"({type(error).__name__}: {str(error).splitlines()[0]})"
            ) from None
        model._network = built.to(model.device).eval()
        return model


def _take(cube: AnyCube, channels: NDArray[np.bool_]) -> AnyCube:
    # A mask copies, so that it is applied only where it leaves something out.
    return cube if channels.all() else cube[..., channels]


def _tuples(value: Any) -> Any:
    """Return what JSON gave back with tuples for lists."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
