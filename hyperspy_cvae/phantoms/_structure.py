"""The crystal under the probe: what varies from pixel to pixel, and the expected spectra."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.spatial import cKDTree

from hyperspy_cvae.phantoms._spectra import FineStructure, component_spectra
from hyperspy_cvae.phantoms._types import BoolArray, FloatArray

MAX_SHIFT = 30.0
"""How far, in eV, :meth:`Crystal.spectra` can shift the Fe L2,3 edge."""

# From one kind to the next the splitting differs as between crystal fields of 1 and 3 eV. The
# maxima are spread more widely than in nature, over 5 eV, because then the scan is as hard as the
# published one: four principal components miss part of the bulk and reproduce much of a shifted
# edge.
_DOMAINS = (
    FineStructure(l3=715.0, splitting=1.7, t2g=0.4, l2=0.5, prepeak=0.6, oxygen=531.0),
    FineStructure(l3=718.0, splitting=1.1, t2g=0.2, l2=0.5, prepeak=0.95, oxygen=531.8),
    FineStructure(l3=713.0, splitting=1.0, t2g=0.3, l2=0.6, prepeak=0.25, oxygen=530.2),
    FineStructure(l3=717.0, splitting=2.9, t2g=0.8, l2=0.4, prepeak=0.75, oxygen=531.4),
    FineStructure(l3=714.0, splitting=1.2, t2g=0.6, l2=0.65, prepeak=0.9, oxygen=530.5),
    FineStructure(l3=716.0, splitting=2.4, t2g=0.7, l2=0.35, prepeak=0.4, oxygen=531.2),
)
_WALL = FineStructure(l3=713.0, splitting=0.9, t2g=0.2, prepeak=0.3)
_STRAINED = FineStructure(l3=713.9, splitting=2.0, l2=0.55, prepeak=0.9)


@dataclass(frozen=True)
class Structure:
    """A bismuth ferrite film: composition, thickness, columns, domains and energy drift.

    Attributes
    ----------
    exponent
        Exponent of the power-law background.
    bismuth, oxygen, iron
        Height of the Bi N4,5 step, the O K step and the Fe L3 maximum, each over the background
        at its onset.
    thickness
        Mean thickness in inelastic mean free paths.
    wedge
        Thickness at the last column less that at the first, over the mean thickness.
    roughness
        Root-mean-square smooth variation of the thickness over its mean.
    column_period
        Distance of neighbouring atomic columns of one kind in pixels.
    column_contrast
        Modulation of the Fe and Bi signals by their columns, 0 to 1; that of O is half as much.
    domains
        Fine structure of each kind of domain; the walls between domains are sharp.
    domain_size
        Typical width of a domain in pixels.
    layered
        Whether the domains are layers of equal thickness, from the first row to the last, as in a
        film on its substrate.
    column
        Fine structure at the centres of the Fe columns, which mixes with that of the domain away
        from them; none of its own if None.
    wall
        Fine structure inside a domain wall.
    wall_width
        Width of a domain wall in pixels; 0 for none.
    strained
        Fine structure that the crystal takes on smoothly where it is strained.
    strain
        Root-mean-square share of ``strained`` in a pixel's spectrum.
    drift
        Root-mean-square slow drift of the energy axis from row to row, in eV.
    jitter
        Root-mean-square energy offset of each row on top of the drift, in eV.

    Examples
    --------
    A film on a substrate without iron:

    >>> film = Structure(domains=(FineStructure(), FineStructure(iron=0)), layered=True)
    """

    exponent: float = 3.0
    bismuth: float = 0.08
    oxygen: float = 1.0
    iron: float = 8.0
    thickness: float = 0.5
    wedge: float = 0.4
    roughness: float = 0.07
    column_period: float = 7.3
    column_contrast: float = 0.2
    domains: tuple[FineStructure, ...] = _DOMAINS
    domain_size: float = 40.0
    layered: bool = False
    column: FineStructure | None = None
    wall: FineStructure = _WALL
    wall_width: float = 3.0
    strained: FineStructure = _STRAINED
    strain: float = 0.25
    drift: float = 0.9
    jitter: float = 0.05

    def __post_init__(self) -> None:
        if not self.domains:
            raise ValueError("domains is empty; give at least one FineStructure.")
        for name in ("thickness", "column_period", "domain_size"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0.")
        for name in ("column_contrast", "strain"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1.")
        for name in ("roughness", "wall_width", "drift", "jitter"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative.")


UNIFORM = Structure(
    wedge=0,
    roughness=0,
    column_contrast=0,
    domains=(FineStructure(),),
    wall_width=0,
    strain=0,
    drift=0,
    jitter=0,
)
"""A uniform crystal: all pixels expect the same spectrum."""


class Crystal:
    """One random crystal of a given structure and size: a mixture of spectra per pixel.

    Parameters
    ----------
    structure
        What to build.
    shape
        Rows and columns of the scan.
    energy
        Energy axis in eV, shape ``(channels,)``.
    generator
        Source of randomness.

    Attributes
    ----------
    drift
        Energy offset of each row in eV, shape ``(rows,)``.
    mixture
        Share of every component in every pixel, shape ``(rows, columns, 2, components)``; the
        components are those of ``component_spectra``.
    """

    def __init__(
        self,
        structure: Structure,
        shape: tuple[int, int],
        energy: FloatArray,
        generator: np.random.Generator,
    ) -> None:
        self.energy = energy
        self.drift = row_drift(shape[0], structure.drift, structure.jitter, generator)
        self._structure = structure
        self._kinds = (*structure.domains, structure.wall, structure.strained)
        if structure.column:
            self._kinds += (structure.column,)
        self._iron = slice(2 + len(self._kinds), None)
        self._spectra = self._components(self._kinds)
        thickness = thickness_map(
            shape, structure.thickness, structure.wedge, structure.roughness, generator
        )
        share = kind_shares(shape, structure, generator)
        iron, bismuth = columns(shape, structure.column_period, structure.column_contrast)
        atoms = np.concatenate(
            [
                bismuth[..., None] ** 0.5,
                bismuth[..., None],
                share * iron[..., None] ** 0.5,
                share * iron[..., None],
            ],
            axis=-1,
        )
        # n plasmons beside the core loss: t exp(-t) t^n / n!, cut off at n = 1.
        single = thickness * np.exp(-thickness)
        orders = np.stack([single, single * thickness], axis=-1)
        self.mixture = orders[..., :, None] * atoms[..., None, :]

    def _components(self, kinds: tuple[FineStructure, ...]) -> CubicSpline:
        structure = self._structure
        return component_spectra(
            self.energy,
            structure.exponent,
            structure.bismuth,
            structure.oxygen,
            structure.iron,
            kinds,
            margin=np.abs(self.drift).max() + MAX_SHIFT,
        )

    def altered(self, change: Callable[[FineStructure], FineStructure]) -> "Crystal":
        """Return the same crystal with another fine structure of every kind of domain."""
        other = copy.copy(self)
        other._spectra = self._components(tuple(change(kind) for kind in self._kinds))
        return other

    def spectra(self, row: int, shift: float = 0.0) -> FloatArray:
        """Return the expected spectra of one row, shape ``(columns, channels)``, unscaled.

        Parameters
        ----------
        row
            Number of the row.
        shift
            How far the Fe L2,3 edge is shifted to higher loss, in eV, up to ``MAX_SHIFT``.
        """
        energy = self.energy - self.drift[row]
        spectra = self._spectra(energy)
        if shift:
            spectra[..., self._iron] = self._spectra(energy - shift)[..., self._iron]
        mixture = self.mixture[row].reshape(self.mixture.shape[1], -1)
        return mixture @ spectra.reshape(energy.size, -1).T

    def cube(self) -> FloatArray:
        """Return the expected spectra, shape ``(rows, columns, channels)``, float32, unscaled."""
        rows, cols = self.mixture.shape[:2]
        cube = np.empty((rows, cols, self.energy.size), np.float32)
        for row in range(rows):
            cube[row] = self.spectra(row)
        return cube


def row_drift(rows: int, drift: float, jitter: float, generator: np.random.Generator) -> FloatArray:
    """Return the energy offset of each row in eV, shape ``(rows,)``.

    A smoothed random walk of zero mean and root mean square ``drift``, plus independent normal
    offsets of standard deviation ``jitter``.

    Examples
    --------
    >>> row_drift(50, 0.4, 0.0, np.random.default_rng(0)).std().round(3)
    np.float64(0.4)
    """
    walk = gaussian_filter1d(np.cumsum(generator.standard_normal(rows)), 2.0)
    return drift * _standardised(walk) + jitter * generator.standard_normal(rows)


def thickness_map(
    shape: tuple[int, int],
    mean: float,
    wedge: float,
    roughness: float,
    generator: np.random.Generator,
) -> FloatArray:
    """Return the thickness of a rough wedge in inelastic mean free paths, shape ``shape``."""
    slope = np.linspace(-0.5, 0.5, shape[1])[None, :]
    rough = _smooth_field(shape, max(shape) / 8, generator)
    return mean * np.maximum(1 + wedge * slope + roughness * rough, 0.05)


def columns(
    shape: tuple[int, int], period: float, contrast: float
) -> tuple[FloatArray, FloatArray]:
    """Return the modulation by the Fe columns and by the Bi columns at the centres between them.

    Both have shape ``shape`` and mean 1 over whole periods.
    """
    rows, cols = np.indices(shape)
    lattice = 0.5 * (np.cos(2 * np.pi * rows / period) + np.cos(2 * np.pi * cols / period))
    return 1 + contrast * lattice, 1 - contrast * lattice


def kind_shares(
    shape: tuple[int, int], structure: Structure, generator: np.random.Generator
) -> FloatArray:
    """Return the share of each fine structure in each pixel, shape ``(rows, columns, kinds)``.

    The kinds are the domains, the wall, the strained crystal and, if it has a fine structure of
    its own, the Fe column; the shares of a pixel sum to 1.
    """
    count = len(structure.domains)
    if structure.layered:
        domain, wall = layers(shape, count, structure.wall_width)
    else:
        domain, wall = domains(shape, count, structure.domain_size, structure.wall_width, generator)
    sharp = np.eye(count + 2)[np.where(wall, count, domain)]
    field = _smooth_field(shape, structure.domain_size / 2, generator)
    strained = np.clip(structure.strain * np.abs(field), 0, 1)[..., None]
    share = (1 - strained) * sharp + strained * np.eye(count + 2)[-1]
    if structure.column is None:
        return share
    # The lattice of the columns, from 0 between them to 1 at their centres.
    on_column = columns(shape, structure.column_period, 1.0)[0][..., None] / 2
    return np.concatenate([(1 - on_column) * share, on_column], axis=-1)


def layers(
    shape: tuple[int, int], kinds: int, wall_width: float
) -> tuple[NDArray[np.intp], BoolArray]:
    """Return the kind of layer at each pixel and where the interfaces are, shape ``shape``.

    Examples
    --------
    >>> layers((4, 1), 2, 0)[0].ravel()
    array([0, 0, 1, 1])
    """
    depth = (np.arange(shape[0]) + 0.5) * kinds / shape[0]
    from_interface = np.abs(depth - np.clip(np.round(depth), 1, max(1, kinds - 1)))
    near = (from_interface * shape[0] / kinds < wall_width / 2) & (kinds > 1)
    kind = depth.astype(np.intp)
    return (
        np.repeat(kind[:, None], shape[1], axis=1),
        np.repeat(near[:, None], shape[1], axis=1),
    )


def domains(
    shape: tuple[int, int],
    kinds: int,
    size: float,
    wall_width: float,
    generator: np.random.Generator,
) -> tuple[NDArray[np.intp], BoolArray]:
    """Return the kind of domain at each pixel and where the domain walls are.

    The domains are the Voronoi cells of a square lattice of spacing ``size`` whose points are
    displaced at random; all kinds are about equally frequent.
    """
    counts = [max(1, round(extent / size)) + 2 for extent in shape]
    lattice = np.indices(counts).reshape(2, -1).T - 0.5
    sites = (lattice + generator.uniform(-0.35, 0.35, lattice.shape)) * size
    kind_of_site = generator.permutation(np.arange(len(sites)) % kinds)
    pixels = np.moveaxis(np.indices(shape), 0, -1)
    distance, nearest = cKDTree(sites).query(pixels, k=2)
    # Half the difference of the distances to two sites is the distance to their common wall.
    near_wall = distance[..., 1] - distance[..., 0] < wall_width
    kind = kind_of_site[nearest]
    return kind[..., 0], near_wall & (kind[..., 0] != kind[..., 1])


def _smooth_field(
    shape: tuple[int, int], length: float, generator: np.random.Generator
) -> FloatArray:
    """Return a random field of zero mean and unit variance that varies over ``length`` pixels."""
    return _standardised(gaussian_filter(generator.standard_normal(shape), length, mode="reflect"))


def _standardised(values: FloatArray) -> FloatArray:
    """Return ``values`` at zero mean and unit variance; zeros where they do not vary."""
    centred = values - values.mean()
    spread = centred.std()
    return centred / spread if spread > 0 else centred
