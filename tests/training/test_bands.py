"""Bands of the energy axis that are hidden from a network."""

import numpy as np
import pytest
import torch

from hyperspy_cvae.training import energy_bands, hide, hide_at_random


@pytest.mark.parametrize("channels", [8, 9, 64, 65, 100, 1312, 4096])
def test_shares_of_a_channel_add_up_to_one(channels: int) -> None:
    total = np.zeros(channels)
    for band, share in energy_bands(channels):
        total[band] += share
    np.testing.assert_allclose(total, 1, rtol=1e-6)


def test_what_is_hidden_leaves_no_trace() -> None:
    spectra = torch.rand(3, 4, 40) + 0.5
    foreign = spectra.clone()
    foreign[..., 10:20] *= torch.rand(10) * 5
    typical = torch.rand(40) + 0.5
    band = slice(10, 20)
    torch.testing.assert_close(hide(foreign, band, typical), hide(spectra, band, typical))
    outside = torch.cat([spectra[..., :10], spectra[..., 20:]], -1)
    hidden = hide(spectra, band, typical)
    assert torch.equal(torch.cat([hidden[..., :10], hidden[..., 20:]], -1), outside)


def test_a_scaled_typical_spectrum_looks_as_before() -> None:
    typical = torch.rand(40) + 0.5
    torch.testing.assert_close(hide(7 * typical, slice(5, 15), typical), 7 * typical)


def test_nothing_outside_the_band_gives_finite_numbers() -> None:
    typical = torch.zeros(20)
    typical[:5] = 1.0
    assert hide(torch.ones(2, 20), slice(0, 5), typical).isfinite().all()


def test_fraction_of_the_shards() -> None:
    shards = torch.rand(300, 2, 2, 64)
    before = shards.clone()
    shown = hide_at_random(shards, np.random.default_rng(0), 0.3, torch.ones(64))
    assert torch.equal(shards, before)
    changed = (shown != shards).flatten(1).any(1).float().mean().item()
    assert changed == pytest.approx(0.3, abs=0.08)
    assert torch.equal(
        hide_at_random(shards, np.random.default_rng(0), 0.0, torch.ones(64)), shards
    )
