"""The networks: ``paper``, as published, and ``compact``, the default."""

from hyperspy_cvae.networks._compact import CompactConfig, CompactNetwork
from hyperspy_cvae.networks._cvae import CVAENetwork
from hyperspy_cvae.networks._paper import PaperConfig, PaperNetwork
from hyperspy_cvae.networks._precision import checked_precision
from hyperspy_cvae.networks._registry import (
    NetworkConfig,
    build_network,
    is_large,
    network_config,
    network_name,
)

__all__ = [
    "CVAENetwork",
    "CompactConfig",
    "CompactNetwork",
    "NetworkConfig",
    "PaperConfig",
    "PaperNetwork",
    "build_network",
    "checked_precision",
    "is_large",
    "network_config",
    "network_name",
]
