"""The camera: from expected electrons to recorded counts."""

from dataclasses import dataclass

import numpy as np

from hyperspy_cvae.phantoms._types import FloatArray


@dataclass(frozen=True)
class Detector:
    """A spectrometer camera, of indirect detection unless ``correlation`` is 0.

    Attributes
    ----------
    dose
        Electrons per channel and pixel at the first channel, averaged over the scan.
    gain
        Counts per electron.
    read_noise
        Standard deviation of the read-out noise in counts.
    dark
        Dark current in electrons per channel; its mean is subtracted, its shot noise stays.
    correlation
        Correlation of the shot noise of neighbouring channels, 0 to 2/3: the light of each
        electron spreads into the two channels beside its own.

    Examples
    --------
    Direct electron counting has none of an indirect camera's vices:

    >>> counting = Detector(dose=5, gain=1, read_noise=0, dark=0, correlation=0)
    """

    dose: float = 42.0
    gain: float = 2.0
    read_noise: float = 1.0
    dark: float = 0.2
    correlation: float = 0.25

    def __post_init__(self) -> None:
        for name in ("dose", "gain"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0.")
        for name in ("read_noise", "dark"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative.")
        if not 0 <= self.correlation <= 2 / 3:
            raise ValueError(
                f"correlation is {self.correlation}; neighbouring channels that share light can "
                "only be correlated between 0 and 2/3."
            )

    @property
    def spread(self) -> float:
        """Share of an electron's light that each neighbouring channel receives.

        Shot noise seen through the kernel ``(a, 1 - 2a, a)`` has the variance
        ``1 - 4a + 6a^2`` and the covariance ``2a - 4a^2`` of neighbours, each per electron.
        """
        ratio = self.correlation
        half = 1 + 2 * ratio
        return (half - np.sqrt(half**2 - ratio * (4 + 6 * ratio))) / (4 + 6 * ratio)

    def expected(self, electrons: FloatArray) -> FloatArray:
        """Return the expected counts of the expected electrons, shape ``(..., channels)``."""
        return self.gain * self._blurred(electrons)

    def record(self, electrons: FloatArray, generator: np.random.Generator) -> FloatArray:
        """Return counts recorded where ``electrons`` are expected, shape ``(..., channels)``.

        Parameters
        ----------
        electrons
            Expected electrons before the camera's spread, shape ``(..., channels)``.
        generator
            Source of randomness.

        Returns
        -------
        numpy.ndarray
            float32 counts, ``gain * spread(Poisson(electrons + dark) - dark) + read noise``;
            negative where the dark subtraction or the read-out noise make them so.
        """
        arrived = generator.poisson(electrons + self.dark).astype(np.float32) - np.float32(
            self.dark
        )
        counts = self.expected(arrived)
        if self.read_noise:
            counts += np.float32(self.read_noise) * generator.standard_normal(
                counts.shape, np.float32
            )
        return counts

    def _blurred(self, electrons: FloatArray) -> FloatArray:
        share = np.float32(self.spread)
        # Light that would leave the axis stays in the channel at its end.
        padded = np.pad(electrons, [(0, 0)] * (electrons.ndim - 1) + [(1, 1)], mode="edge")
        return (1 - 2 * share) * electrons + share * (padded[..., :-2] + padded[..., 2:])
