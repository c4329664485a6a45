"""What in a region's mean spectrum is other than in the bulk."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d, white_tophat
from scipy.signal import find_peaks, peak_widths
from scipy.special import log_ndtr, ndtri_exp
from scipy.stats import norm
from scipy.stats import t as student

from hyperspy_cvae.detection._edges import Edge, edges_at
from hyperspy_cvae.detection._findings import Explanation, Finding, Kind
from hyperspy_cvae.detection._patches import BulkDeviations
from hyperspy_cvae.detection._scores import energy_width

_FEWEST_SIGMAS = 3.0  # after allowing for all that was looked at
_LEAST_SHARE = 0.1  # of the most significant: less may be what its fit leaves over
MOST_FINDINGS = 3
"""Of a region."""

_CLEAR = 5.0  # standard errors that a maximum of the bulk stands out by
_WIDEST = 10.0  # extent of a maximum, over 1.5 eV
_APART = 0.5  # of its height: what the higher of the minima beside it must be below
_SIDE = 3.0  # widths at half maximum that are looked at to either side of a maximum
_SHIFTS_APART = 6  # shifts of a maximum that do not overlap
_SHIFTS, _REFINEMENTS = 25, 6
_EXCESS_SIDE = 3.0  # standard deviations of its Gaussian
_FEWEST_CHANNELS = 6  # for four numbers
_LEAST_ERROR = 0.01  # of the median: no channel is without noise

FloatArray = NDArray[np.float64]


def explain_difference(
    energies: NDArray[np.floating],
    measured: FloatArray,
    expected: FloatArray,
    error: FloatArray,
    dispersion: float,
    *,
    deviations: BulkDeviations | None = None,
    edges: Sequence[Edge] = (),
    units: str = "eV",
    most: int = MOST_FINDINGS,
) -> Explanation:
    r"""Tell what in a mean spectrum is other than in the bulk: which edge, how much, how sure.

    The bulk :math:`b` is scaled to the counts measured, to whose sum all changes are relative.
    Three questions are put.

    *Is a maximum of the bulk elsewhere, or of another intensity?* From three times its width below
    it to three times its width above, but not beyond the minima beside it,

    .. math:: m(E) = a\, b(E - \delta) + p_0 + p_1 E

    is fitted by weighted least squares: the shift :math:`\delta` on a grid, then by Gauss-Newton
    with the derivative of the smoothed bulk, :math:`-a\,b_s'(E - \delta)`. How significant a shift
    is, is how well the residual fits what it adds to the best :math:`m` without one. The intensity
    changes by :math:`a - 1`, with :math:`\delta = 0` unless the shift is significant.

    *Is there an excess or a lack of another form?* Wherever what is left over, smoothed over
    1.5 eV, is extreme, a Gaussian of this width on a straight line is fitted to it. Within
    half the width of a maximum whose change is more significant it is not told: it may be what that
    fit leaves over.

    *Is it the level?* If no structure changed, what is left over is fitted by
    :math:`b(E)\,(c_0 + c_1 E)`.

    Errors are what the same estimates scatter by in patches of bulk: the noise is in them, as it
    is correlated between channels, and so is what the reconstruction gets wrong, such as a maximum
    that it puts beside its place. Estimates are weighted sums of channels, by the pseudo-inverse of
    the weighted design matrix. Where the region is larger than the patches only the noise is taken
    to be smaller: see :class:`BulkDeviations`. The significance allows for all that was looked at
    (Bonferroni): an intensity and six shifts of every maximum, one excess in every 1.5 eV, and the
    level; and, by Student's distribution, for how few patches the errors are known from: of a
    change of 100 errors known from 80 patches, 20 standard deviations are left.

    Of an anomaly that the reconstruction follows, only the rest is seen: as a rule shifts and
    excesses are larger than is told here.

    Parameters
    ----------
    energies
        Energies of the channels compared, ``(energy,)``.
    measured
        Mean counts of the region, of the same shape.
    expected
        Mean counts of its reconstruction, of the same shape.
    error
        Standard error of the mean counts, of the same shape. If NaN, nothing can be told.
    dispersion
        Energy per channel in eV.
    deviations
        How far the mean of such a region of bulk would be off by itself. If None, nothing but
        independent noise is in the errors.
    edges
        Edges that a change may belong to.
    units
        Units of ``energies``.
    most
        Findings at most.

    Examples
    --------
    >>> energies = np.arange(700, 730, 0.25)
    >>> def iron(maximum):
    ...     return 1000 + 500 / (1 + (energies - maximum) ** 2)
    >>> error = np.full(energies.shape, 25.0)
    >>> measured = iron(711.9) + np.random.default_rng(0).normal(0, error)
    >>> edges = [Edge("Fe_L3", 708.0, declared=True)]
    >>> print(explain_difference(energies, measured, iron(710), error, 0.25, edges=edges))
    Fe L3 maximum 1.86 ± 0.03 eV higher than in bulk (710 eV), 39 sigma
    """
    if not np.isfinite(error).all() or min(measured.sum(), expected.sum()) <= 0:
        return Explanation((), None, energies, measured, error, expected, expected)
    bulk = expected * (measured.sum() / expected.sum())
    error = np.maximum(error, _LEAST_ERROR * np.median(error))
    width = energy_width(dispersion, energies.size)
    region = _Region(energies, measured, bulk, error, deviations, width, units)
    maxima = _maxima(region)
    looks = len(maxima) * (_SHIFTS_APART + 1) + int(np.ceil(error.size / width)) + 1
    # Errors known from few patches are wrong by chance, which Student's distribution allows for.
    freedom = np.inf if deviations is None else len(deviations.means)
    limit = float(student.isf(norm.sf(_FEWEST_SIGMAS) / looks, freedom))
    findings, largest, fitted = _search(region, maxima, limit, most)
    ev = dispersion / float(np.median(np.diff(energies)))
    told = [
        replace(
            finding,
            significance=_allowing_for(looks, freedom, finding.significance),
            edges=_edges_of(finding, ev, edges),
        )
        for finding in (*findings, largest)
    ]
    return Explanation(tuple(told[:-1]), told[-1], energies, measured, error, bulk, fitted)


@dataclass(frozen=True)
class _Region:
    """Mean spectra of a region, and least squares that know their noise."""

    energies: NDArray[np.floating]
    measured: FloatArray
    bulk: FloatArray
    error: FloatArray
    deviations: BulkDeviations | None
    width: float
    units: str

    @cached_property
    def smooth(self) -> FloatArray:
        """The bulk, smoothed a little: for where its maxima lie and how steep their flanks are."""
        return gaussian_filter1d(self.bulk, self.width / 3)

    @cached_property
    def spline(self) -> CubicSpline:
        return CubicSpline(self.energies, self.bulk)

    @cached_property
    def steepness(self) -> CubicSpline:
        return CubicSpline(self.energies, self.smooth).derivative()

    def line(self, channels: slice) -> FloatArray:
        """Return two columns: 1, and a straight line from -1 to 1 over the whole range."""
        slope = np.interp(self.energies, self.energies[[0, -1]], (-1.0, 1.0))[channels]
        return np.stack([np.ones(slope.size), slope], axis=1)

    def fit(
        self, columns: FloatArray, values: FloatArray, channels: slice
    ) -> tuple[FloatArray, FloatArray]:
        """Return the factors of the columns that fit the values best, and their errors."""
        error = self.error[channels]
        inverse = np.linalg.pinv(columns / error[:, np.newaxis])
        if self.deviations is None:
            return inverse @ (values / error), np.linalg.norm(inverse, axis=1)
        return inverse @ (values / error), self.deviations.errors(inverse, channels)

    def finding(
        self, kind: Kind, channel: int, change: float, error: float, sigmas: float
    ) -> Finding:
        return Finding(
            kind,
            energy=float(self.energies[channel]),
            change=float(change),
            error=float(error),
            significance=abs(float(sigmas)),
            units=self.units,
        )


@dataclass(frozen=True)
class _Maximum:
    """A maximum of the bulk: its channel, its width at half maximum, the channels around it."""

    channel: int
    width: float
    window: slice


@dataclass(frozen=True)
class _Change:
    """What one fit finds, and the counts that it adds to the bulk in its channels."""

    findings: tuple[Finding, ...]
    window: slice
    counts: FloatArray


def _search(
    region: _Region, maxima: Sequence[_Maximum], limit: float, most: int
) -> tuple[list[Finding], Finding, FloatArray]:
    """Return what stands out, the largest excess or lack, and the counts of the bulk with it all.

    Significances are those of single looks, in errors; ``limit`` is what one of them must exceed.
    """
    every = [(maximum, _changed_maximum(region, maximum, limit)) for maximum in maxima]
    changed = [(maximum, change) for maximum, change in every if change.findings]
    changes = [change for _, change in changed]
    rests: list[_Change] = []  # what the fits of maxima leave over
    largest = excess = _largest_excess(region, region.measured - _with(changes, region.bulk))
    for _ in range(most):
        if excess.findings[0].significance < limit:
            break
        of_fit = any(_left_over(region, excess.findings[0], *each) for each in changed)
        (rests if of_fit else changes).append(excess)
        excess = _largest_excess(region, region.measured - _with([*changes, *rests], region.bulk))
    # Beside a change of structure a level may be the tails of that.
    if not changes:
        level = _changed_level(region)
        changes = [level] if level.findings[0].significance >= limit else []
    findings = [finding for change in changes for finding in change.findings]
    findings.sort(key=lambda finding: -finding.significance)
    clear = [f for f in findings if f.significance > _LEAST_SHARE * findings[0].significance]
    told = clear[:most]
    changes = [change for change in changes if any(each in told for each in change.findings)]
    return told, largest.findings[0], _with(changes, region.bulk)


def _left_over(region: _Region, excess: Finding, maximum: _Maximum, change: _Change) -> bool:
    """Return whether it may be what the fit of a maximum leaves over."""
    channel = int(np.abs(region.energies - excess.energy).argmin())
    strongest = max(each.significance for each in change.findings)
    near = abs(channel - maximum.channel) <= maximum.width / 2
    return near and excess.significance < strongest


def _with(changes: Sequence[_Change], bulk: FloatArray) -> FloatArray:
    """Return the counts that the bulk would have with these changes."""
    counts = bulk.copy()
    for change in changes:
        counts[change.window] += change.counts
    return counts


def _maxima(region: _Region) -> list[_Maximum]:
    smooth = region.smooth
    height = white_tophat(smooth, max(3, round(_WIDEST * region.width)))
    # Lines of one doublet, or of the several kinds of bulk in a region, are one maximum.
    least = np.maximum(_CLEAR * region.error, _APART * height)
    peaks, _ = find_peaks(smooth, prominence=least)
    if not peaks.size:
        return []
    minima = [low + int(smooth[low:high].argmin()) for low, high in pairwise(peaks)]
    borders = pairwise([0, *minima, smooth.size])
    maxima = []
    for peak, width, (low, high) in zip(peaks, peak_widths(smooth, peaks)[0], borders, strict=True):
        side = int(np.ceil(_SIDE * width))
        window = slice(max(low, peak - side), min(high, peak + side + 1))
        if window.stop - window.start >= _FEWEST_CHANNELS:
            maxima.append(_Maximum(int(peak), float(width), window))
    return maxima


def _changed_maximum(region: _Region, maximum: _Maximum, limit: float) -> _Change:
    """Return what changed of a maximum, if anything did."""
    window, peak = maximum.window, maximum.channel
    measured = region.measured[window]
    moved = _shift(region, maximum)
    if moved is None:
        return _Change((), window, np.zeros_like(measured))
    shift, error, sigmas = moved
    findings = [region.finding("shift", peak, shift, error, sigmas)]
    if findings[0].significance < limit:
        findings, shift = [], 0.0
    columns = _moved(region, window, shift)
    factors, errors = region.fit(columns, measured, window)
    change, error = factors[0] - 1, errors[0]
    if abs(change) >= limit * error:
        findings.append(region.finding("intensity", peak, change, error, change / error))
    return _Change(tuple(findings), window, columns @ factors - region.bulk[window])


def _moved(region: _Region, window: slice, shift: float) -> FloatArray:
    """Return three columns, the bulk at energies lower by the shift and a straight line."""
    bulk = region.spline(_before(region, window, shift))
    return np.column_stack([bulk, region.line(window)])


def _before(region: _Region, window: slice, shift: float) -> FloatArray:
    """Return the energies lower by the shift, as far as there are any."""
    return np.clip(region.energies[window] - shift, region.energies[0], region.energies[-1])


def _shift(region: _Region, maximum: _Maximum) -> tuple[float, float, float] | None:
    """Return the shift of a maximum, its error and its significance; None if it is not there."""
    window = maximum.window
    measured = region.measured[window]
    low, centre, high = region.energies[[window.start, maximum.channel, window.stop - 1]]
    lowest, highest = low - centre, high - centre

    def misfit(shift: float) -> float:
        columns = _moved(region, window, shift)
        factors, _ = region.fit(columns, measured, window)
        return float(np.square((measured - columns @ factors) / region.error[window]).sum())

    shift = min((0.0, *np.linspace(lowest, highest, _SHIFTS)), key=misfit)
    for _ in range(_REFINEMENTS):
        before = _before(region, window, shift)
        columns = np.column_stack([_moved(region, window, shift), -region.steepness(before)])
        factors, errors = region.fit(columns, measured, window)
        # What a shift of 1 would change the last factor by: smoothed flanks are less steep.
        per_shift = factors[0] * region.fit(columns, -region.spline(before, 1), window)[0][-1]
        error = errors[-1] / per_shift
        shift += factors[-1] / per_shift
        if factors[0] <= 0 or not lowest < shift < highest:
            return None
    still = _moved(region, window, 0.0)
    difference = columns @ factors - still @ region.fit(still, measured, window)[0]
    factors, errors = region.fit(np.column_stack([still, difference]), measured, window)
    # A shift of next to nothing makes no difference that could be fitted.
    sigmas = min(abs(shift) / error, abs(factors[-1]) / errors[-1])
    return shift, error, sigmas


def _largest_excess(region: _Region, rest: FloatArray) -> _Change:
    """Return the most significant excess or lack in what is left over."""
    smooth = np.abs(gaussian_filter1d(rest / region.error, region.width))
    places, _ = find_peaks(np.pad(smooth, 1))
    side = int(np.ceil(_EXCESS_SIDE * region.width))
    found = []
    for place in (*(places - 1), smooth.argmax()):
        window = slice(max(0, place - side), place + side + 1)
        apart = np.arange(smooth.size)[window] - place
        form = np.exp(-np.square(apart / region.width) / 2)
        columns = np.column_stack([form, region.line(window)])
        factors, errors = region.fit(columns, rest[window], window)
        bulk = max(region.bulk[place], region.error[place])
        sigmas = factors[0] / errors[0]
        finding = region.finding("excess", place, factors[0] / bulk, errors[0] / bulk, sigmas)
        found.append(_Change((finding,), window, factors[0] * form))
    return max(found, key=lambda change: change.findings[0].significance)


def _changed_level(region: _Region) -> _Change:
    """Return how the level changes over the range."""
    rest, everywhere = region.measured - region.bulk, slice(None)
    columns = region.bulk[:, np.newaxis] * region.line(everywhere)
    factors, errors = region.fit(columns, rest, everywhere)
    middle, change, error = rest.size // 2, 2 * factors[1], 2 * errors[1]
    level = region.finding("level", middle, change, error, change / error)
    return _Change((level,), everywhere, columns @ factors)


def _edges_of(finding: Finding, ev: float, edges: Sequence[Edge]) -> tuple[Edge, ...]:
    """Return the edges of a finding; ``ev`` is its unit of energy in eV."""
    if finding.kind == "level":
        return ()
    if finding.kind != "excess":
        # The bulk is made of what is declared; only what is new may be something else.
        edges = [edge for edge in edges if edge.declared] or edges
    return edges_at(ev * finding.energy, edges)


def _allowing_for(looks: int, freedom: float, sigmas: float) -> float:
    """Return the significance of the best of many looks, in standard deviations.

    Those of Student's distribution, for errors known from few patches, become those of a normal one
    by D. L. Wallace, Ann. Math. Stat. 30, 1121 (1959), however improbable they are.
    """
    if np.isfinite(freedom):
        sigmas = np.sqrt(freedom * np.log1p(sigmas**2 / freedom))
        sigmas *= (8 * freedom + 1) / (8 * freedom + 3)
    log_p = min(0.0, np.log(2.0 * looks) + log_ndtr(-sigmas))
    return abs(float(ndtri_exp(log_p - np.log(2.0))))
