"""Training of a network on one preprocessed cube."""

import math
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from copy import deepcopy

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, distributed

from hyperspy_cvae.blocks import Cube, kept, spectra_at
from hyperspy_cvae.networks import CVAENetwork, checked_precision
from hyperspy_cvae.progress import Progress
from hyperspy_cvae.shards import binned, binned_blocks, fine_width, reflected, starts
from hyperspy_cvae.threads import one_thread
from hyperspy_cvae.training._config import TrainingConfig, TrainingError
from hyperspy_cvae.training._corruption import corrupt
from hyperspy_cvae.training._history import History
from hyperspy_cvae.training._loss import cross_entropy
from hyperspy_cvae.training._optimiser import OneCycle, can_fuse
from hyperspy_cvae.training._outliers import Outliers
from hyperspy_cvae.training._recorruption import Recorruption
from hyperspy_cvae.training._shards import Shards, normalise
from hyperspy_cvae.training._step import Batch, Step
from hyperspy_cvae.training._tiles import held_out_tiles
from hyperspy_cvae.training._weights import spectrum_weights

_ENOUGH_SPECTRA = 6000  # to know the bulk's mean and principal components
_TIMES_MORE = 10  # shards than pixels of rare bulk, in proportion
_LARGEST_WEIGHT = 4.0  # of rare bulk
_LONGEST_WAIT, _SHARE = 6, 1 / 8  # epochs, and of a training, from look to look at outliers
_FIRST_LOOK, _LAST_LOOK = 3 / 8, 0.75  # of a training; before, a network has learnt too little


def _share() -> tuple[int, int]:
    """Return which of how many processes that train together this is."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def train(
    network: CVAENetwork,
    cube: Cube,
    use: np.ndarray,
    config: TrainingConfig,
    *,
    shape: tuple[int, int],
    margin: tuple[int, int] = (0, 0),
    seed: int = 0,
    device: torch.device | str = "cpu",
    show_progressbar: bool = False,
) -> History:
    """Train ``network`` on ``cube``, leaving it with its last weights, or the best by its tiles.

    Where :mod:`torch.distributed` is initialised, its processes share every batch, and all of them
    are left with the same network.

    Parameters
    ----------
    network
        The network, as built.
    cube
        Preprocessed intensities ``(rows, columns, energy)``, float32, finite. Of a dask array
        shards are read as they are needed.
    use
        Spectra to train on, boolean ``(rows, columns)``.
    config
        Settings.
    shape
        Rows and columns of a shard.
    margin
        Rows and columns that a shard may hold beyond the scan, which is reflected at its borders.
    seed
        Seed of the initial weights, the shards drawn and the latent vectors.
    device
        Where to train.
    show_progressbar
        Whether to show progress, loss and the time left.

    Raises
    ------
    TrainingError
        If no spectrum has counts, if the loss is no longer finite, or if a batch is not to be
        shared by so many processes.
    """
    device = torch.device(device)
    devices = [device] if device.type == "cuda" else []
    on_gpu = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    with torch.random.fork_rng(devices), on_gpu:
        torch.manual_seed(seed)
        for layer in network.modules():
            if reset := getattr(layer, "reset_parameters", None):
                reset()
        alone = device.type == "cpu" and not network.large
        with one_thread() if alone else nullcontext():
            training = _Training(network, cube, use, config, shape, margin, seed, device)
            # On other devices two threads would be in each other's way, or not be allowed.
            beside = ThreadPoolExecutor(1) if alone else nullcontext()
            with checked_precision(network, training.some_shards), beside as training.pool:
                return training.run(show_progressbar)


class _Training:
    def __init__(
        self,
        network: CVAENetwork,
        cube: Cube,
        use: np.ndarray,
        config: TrainingConfig,
        shape: tuple[int, int],
        margin: tuple[int, int],
        seed: int,
        device: torch.device,
    ) -> None:
        self.config = config
        self.part, self.parts = _share()
        if config.batch_size % self.parts:
            raise TrainingError(
                f"batch_size is {config.batch_size}, but {self.parts} processes share a batch: "
                f"use a multiple of {self.parts}."
            )
        self.random = np.random.default_rng(seed)
        weight, median = spectrum_weights(cube, use)
        self.likelihood_weight = (
            float(np.clip(median, 1e4, 1e6))
            if config.likelihood_weight == "auto"
            else config.likelihood_weight
        )
        chosen = np.nonzero(weight > 0)
        if len(chosen[0]) > _ENOUGH_SPECTRA:
            some = self.random.choice(len(chosen[0]), _ENOUGH_SPECTRA, replace=False)
            chosen = chosen[0][some], chosen[1][some]
        spectra = spectra_at(cube, chosen)
        floor = 0.05 * median
        shapes = spectra / np.maximum(spectra.sum(-1, keepdims=True), floor)
        network.adapt(torch.from_numpy(shapes), floor)
        self.network = network.to(device)
        self.pool: ThreadPoolExecutor | None = None  # which draws beside a step
        if self.parts > 1:  # rounding may differ between hosts
            for each in network.state_dict().values():
                distributed.broadcast(each, 0)
        # One cycle ends where it is best: what tiles say of its last epochs is noise.
        self.tiles = (
            held_out_tiles(weight > 0, shape, config.held_out, self.random)
            if config.schedule == "plateau"
            else []
        )
        self.weight = weight
        self.training_weight = weight.copy()
        for tile in self.tiles:
            self.training_weight[tile.region] = 0
        self.cube, self.spectra, self.shape, self.device = cube, spectra, shape, device
        fine = fine_width(cube.shape[2])
        half = max(1, fine // 2)
        summable = network.summable and config.schedule == "onecycle"
        self.summed_epochs = round(config.summed * config.epochs) if summable else 0
        self._show(self.training_weight, half if self.summed_epochs else 1)
        self.rare = np.empty((0, 2), np.intp)
        self.outliers: Outliers | None = None
        if config.left_out:
            self.fine = fine // half * half
            with threadpool_limits(1, "blas"):  # the threads are dask's
                coarse = kept(binned_blocks(cube, self.fine))
                used = self.training_weight > 0
                self.outliers = Outliers(coarse, used, config.left_out, math.prod(shape))
            self._leave_out(self.outliers.first)
            width = half if summable else 1
            same = width == self.network.width
            self.looked_at = (
                self.shards if same else Shards(cube, self.training_weight, shape, width, device)
            )
        self.margin = margin
        last = np.array(weight.shape) - shape
        self.corners = -np.array(margin), last + np.array(margin) + 1
        self.steps = config.steps(int(np.count_nonzero(weight)))
        self.optimiser: torch.optim.Optimizer | OneCycle
        if config.schedule == "onecycle":
            self.optimiser = OneCycle(network, config, config.epochs * self.steps)
        else:
            self.optimiser = torch.optim.Adam(
                network.parameters(), config.learning_rate, fused=can_fuse(network.parameters())
            )
            # Its relative threshold takes a loss below zero, as noise can make it, for better.
            self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                self.optimiser, patience=10, factor=0.5, threshold=0.0
            )

    def _show(self, weight: np.ndarray, width: int) -> None:
        """Train on sums over ``width`` channels from now on, with a weight of each spectrum."""
        self.network.width = width
        spectra = self.spectra if width == 1 else binned(self.spectra, width)
        self.shards = Shards(self.cube, weight, self.shape, width, self.device)
        self.step = Step(
            self.network, self.likelihood_weight, self.config.gradient_clip, self.parts
        )
        strength = self.config.recorruption
        self.recorruption = Recorruption(spectra, strength, self.device) if strength else None
        self.beside = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        if self.beside:
            self.beside.wait_stream(torch.cuda.current_stream())

    def some_shards(self) -> Tensor:
        """As many as are shown to the network at a time, from anywhere."""
        last = self.corners[1] - self.corners[0]
        corners = np.random.default_rng(0).integers(0, last, (self.config.batch_size, 2))
        return self.shards.at(corners + self.corners[0])[0]

    def run(self, show_progressbar: bool) -> History:
        epochs = self.config.epochs
        history = History(summed_epochs=self.summed_epochs if self.network.width > 1 else 0)
        best_loss, best_weights = math.inf, deepcopy(self.network.state_dict())
        every = min(epochs * _SHARE, _LONGEST_WAIT)
        looks = {int(every * n) for n in range(1, int(_LAST_LOOK * epochs / every) + 1)}
        show = show_progressbar and self.part == 0
        progress = Progress(epochs, "Training the 3D-CVAE", "epochs", show)
        try:
            for epoch in range(1, epochs + 1):
                if epoch == self.summed_epochs + 1 and self.network.width > 1:
                    self._show(self.shards.weight.numpy(), 1)
                excess, divergence = self._epoch(epoch)
                history.cross_entropy.append(excess)
                history.divergence.append(divergence)
                loss = excess
                if self.tiles:
                    loss = self._held_out()
                    history.held_out.append(loss)
                if loss < best_loss or not self.tiles:
                    best_loss, history.best_epoch = loss, epoch
                    best_weights = deepcopy(self.network.state_dict())
                if self.config.schedule == "plateau":
                    self.plateau.step(loss)
                shown = f"CE - H {excess:.3g}, KL {divergence:.0f}"
                shown += f", held out {loss:.3g}" if self.tiles else ""
                progress.update(1, shown)
                if epoch - history.best_epoch >= self.config.patience:
                    history.stopped = (
                        f"no improvement on held-out tiles for {self.config.patience} epochs"
                    )
                    progress.stop()
                    break
                if self.outliers and not self.outliers.isolated:
                    if epoch in looks and epoch >= int(_FIRST_LOOK * epochs):
                        self._leave_out_again(self.outliers)
        except KeyboardInterrupt:
            if not history.best_epoch:
                raise
            history.stopped = "interrupted"
            warnings.warn(
                f"Training was interrupted in epoch {len(history.cross_entropy) + 1} of {epochs}; "
                f"the weights of epoch {history.best_epoch} are kept.",
                stacklevel=2,
            )
        finally:
            progress.close()
            self.network.zero_grad()
            self.network.width = 1
        history.stopped = history.stopped or "all epochs done"
        self.network.load_state_dict(best_weights)
        self.network.eval()
        return history

    def _epoch(self, epoch: int) -> tuple[float, float]:
        config = self.config
        fade = min(1.0, epoch / (config.warm_up * config.epochs)) if config.warm_up else 1.0
        self.network.train()
        found = []
        for batch, seeds in self._batches():
            found.append(self.step(batch, fade * config.beta, seeds))
            self.optimiser.step()
        sums = torch.stack(found).sum(0)
        if self.parts > 1:
            distributed.all_reduce(sums)
        fit, weights, divergence = sums.tolist()
        if not math.isfinite(fit):
            raise TrainingError(
                f"the loss became {fit} in epoch {epoch} of {config.epochs} (learning "
                f"rate {config.learning_rate:g}); nothing was kept. A lower learning_rate, or "
                "a signal_range without the zero-loss peak, usually helps."
            )
        return fit / max(weights, 1), divergence / (self.steps * config.batch_size)

    def _batches(self) -> Iterator[tuple[Batch, list[int]]]:
        """Draw those of an epoch, the next one beside the step of the last."""
        if self.pool:
            drawn = self.pool.submit(self._drawn)
            for _ in range(self.steps - 1):
                ready = drawn.result()
                drawn = self.pool.submit(self._drawn)
                yield ready
            yield drawn.result()
            return
        for _ in range(self.steps):
            with torch.cuda.stream(self.beside) if self.beside else nullcontext():
                batch, seeds = self._drawn()
            if self.beside:
                torch.cuda.current_stream().wait_stream(self.beside)
                for each in batch:
                    each.record_stream(torch.cuda.current_stream())
            yield batch, seeds

    def _drawn(self) -> tuple[Batch, list[int]]:
        """Shards from anywhere, and how they are shown; of several processes' this one's part."""
        corners = self.random.integers(*self.corners, size=(self.config.batch_size, 2))
        if len(self.rare):
            share = _TIMES_MORE * len(self.rare) / np.count_nonzero(self.training_weight)
            revisited = self.random.random(len(corners)) < min(self.config.revisited, share)
            around = self.random.choice(self.rare, len(corners))
            around = around - self.random.integers(self.shape, size=corners.shape)
            lowest, end = self.corners
            corners = np.where(revisited[:, None], np.clip(around, lowest, end - 1), corners)
        turned = [-1 if self.random.random() < 0.5 else 1 for _ in range(2)]
        intensities, weight, floor = self.shards.at(corners, turned)
        shown, target = self._pair(intensities, self.random)
        corrupt(shown, self.random, self.config.corruption)
        seeds = self.random.integers(2**63, size=len(corners))
        total = weight.sum()
        shown, target, weight, floor = (
            each.chunk(self.parts)[self.part] for each in (shown, target, weight, floor)
        )
        own = np.split(seeds, self.parts)[self.part].tolist()
        return Batch(shown, target, weight, floor, total), own

    def _pair(self, intensities: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """What the network is shown, and the spectra of sum one that it is to return."""
        if not self.recorruption:
            return intensities, normalise(intensities)
        shown, target = self.recorruption.pair(intensities, random)
        total = intensities.sum(-1, keepdim=True)
        return shown, target.div_(torch.where(total > 0, total, 1))

    @torch.no_grad()
    def _excess(self, corners: np.ndarray) -> np.ndarray:
        """Cross-entropy above the entropy, in nats, of each spectrum of the shards."""
        self.network.eval()
        excess = []
        random = np.random.default_rng(0)  # the same noise for every epoch, which are compared
        for batch in np.array_split(corners, math.ceil(len(corners) / 8)):
            intensities, _, floor = self.shards.at(batch)
            shown, target = self._pair(intensities, random)
            excess.append(cross_entropy(target, self.network(shown)[0]) - floor)
        return torch.cat(excess).cpu().numpy()

    def _held_out(self) -> float:
        corners = np.array([tile.shard for tile in self.tiles])
        total = norm = 0.0
        for tile, excess in zip(self.tiles, self._excess(corners), strict=True):
            weight = self.weight[tile.region]
            total += float((weight * excess[tile.within]).sum())
            norm += float(weight.sum())
        found = torch.tensor(total / norm, device=self.device)
        if self.parts > 1:  # all are to stop in the same epoch
            distributed.broadcast(found, 0)
        return float(found)

    @torch.no_grad()
    def _leave_out_again(self, outliers: Outliers) -> None:
        """Give no weight to what the network reconstructs badly, too, and more to rare bulk."""
        grid = map(starts, self.weight.shape, self.shards.shape, self.shards.shape, self.margin)
        corners = np.stack(np.meshgrid(*grid, indexing="ij"), -1).reshape(-1, 2)
        expected = np.empty(outliers.shape, np.float32)
        shown, self.network.width = self.network.width, self.looked_at.width
        together = self.fine // self.network.width
        self.network.eval()
        for batch in np.array_split(corners, math.ceil(len(corners) / 8)):
            intensities, _, _ = self.looked_at.at(batch)
            spectra = torch.softmax(self.network(intensities)[0], -1)
            spectra *= intensities.sum(-1, keepdim=True)
            coarse = binned(spectra.cpu().numpy(), together)
            for corner, shard in zip(batch.tolist(), coarse, strict=True):
                pixels = map(reflected, corner, self.shards.shape, self.weight.shape)
                expected[np.ix_(*pixels)] = shard[..., : expected.shape[2]]
        self.network.width = shown
        with threadpool_limits(1, "blas"):
            found, rare = outliers.beside(expected)
        self._leave_out(found, np.clip(rare, 1, _LARGEST_WEIGHT))
        self.rare = np.argwhere((rare > 0) & (self.training_weight > 0))

    def _leave_out(self, outliers: np.ndarray, times: np.ndarray | float = 1.0) -> None:
        """Give no weight to outliers, and multiply that of the others."""
        weight = np.where(outliers, 0, times * self.training_weight)
        self.shards.weight = torch.from_numpy(weight.astype(np.float32))
