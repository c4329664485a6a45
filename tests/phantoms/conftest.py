"""Small phantoms that several tests look at."""

import pytest

from hyperspy_cvae.phantoms import UNIFORM, PeakShift, Phantom, Structure, bifeo3


@pytest.fixture(scope="session")
def uniform() -> Structure:
    """A crystal whose pixels all expect the same spectrum."""
    return UNIFORM


@pytest.fixture(scope="session")
def shifted() -> Phantom:
    """A 2.4 eV shift in two discs."""
    return bifeo3(
        (24, 30), 400, offset=650, anomaly=PeakShift(2.4, "shift", discs=2, radius=3), seed=11
    )


@pytest.fixture(scope="session")
def rolled() -> Phantom:
    """The same by the paper's roll."""
    return bifeo3(
        (24, 30), 400, offset=650, anomaly=PeakShift(2.4, "roll", discs=2, radius=3), seed=11
    )


@pytest.fixture(scope="session")
def clean() -> Phantom:
    """The same crystal and noise without an anomaly."""
    return bifeo3((24, 30), 400, offset=650, seed=11)
