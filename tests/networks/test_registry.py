"""Networks by name."""

from dataclasses import FrozenInstanceError

import pytest
import torch

from hyperspy_cvae.networks import (
    CompactConfig,
    CompactNetwork,
    CVAENetwork,
    PaperConfig,
    PaperNetwork,
    build_network,
    network_config,
    network_name,
)


@pytest.mark.parametrize(
    ("name", "config", "network"),
    [("compact", CompactConfig, CompactNetwork), ("paper", PaperConfig, PaperNetwork)],
)
def test_name_configuration_and_network_belong_together(
    name: str, config: type, network: type[CVAENetwork]
) -> None:
    settings = network_config(name, latent=3)
    assert settings == config(latent=3)
    assert network_name(settings) == name
    built = build_network((4, 6, 32), settings)
    assert type(built) is network
    assert built(torch.rand(1, 4, 6, 32))[1].shape == (1, 3)


@pytest.mark.parametrize("name", ["compact", "paper"])
def test_published_latent_length_is_the_default(name: str) -> None:
    assert network_config(name).latent == 48


def test_settings_reach_the_network() -> None:
    narrow, wide = (
        build_network((8, 8, 64), network_config("compact", features=features))
        for features in ((2, 2, 2), (8, 8, 8))
    )
    assert len(narrow.state_dict()) == len(wide.state_dict())
    assert sum(p.numel() for p in narrow.parameters()) < sum(p.numel() for p in wide.parameters())


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'resnet' is unknown; .*'compact', 'paper'"):
        network_config("resnet")


def test_an_unknown_setting_is_an_error() -> None:
    with pytest.raises(TypeError, match="features"):
        network_config("paper", features=(1, 2, 3))


@pytest.mark.parametrize("config", [CompactConfig(), PaperConfig()])
def test_configurations_are_frozen(config: CompactConfig | PaperConfig) -> None:
    with pytest.raises(FrozenInstanceError):
        config.latent = 3  # type: ignore[misc]
