"""Which networks there are."""

from hyperspy_cvae.networks._compact import CompactConfig, CompactNetwork
from hyperspy_cvae.networks._cvae import CVAENetwork
from hyperspy_cvae.networks._paper import PaperConfig, PaperNetwork

NetworkConfig = CompactConfig | PaperConfig

_NETWORKS: dict[str, tuple[type[NetworkConfig], type[CVAENetwork]]] = {
    "compact": (CompactConfig, CompactNetwork),
    "paper": (PaperConfig, PaperNetwork),
}


def network_config(name: str, **settings: object) -> NetworkConfig:
    """Return the configuration of the network called ``name``.

    Raises
    ------
    ValueError
        If no network has that name.

    Examples
    --------
    >>> from hyperspy_cvae.networks import network_config
    >>> network_config("paper", latent=32)
    PaperConfig(latent=32)
    """
    if name not in _NETWORKS:
        raise ValueError(f"network {name!r} is unknown; choose one of {sorted(_NETWORKS)}.")
    return _NETWORKS[name][0](**settings)  # type: ignore[arg-type]


def network_name(config: NetworkConfig) -> str:
    """Name under which the network of ``config`` is registered."""
    return next(name for name, (kind, _) in _NETWORKS.items() if kind is type(config))


def is_large(config: NetworkConfig) -> bool:
    """Whether memory and time are to be estimated before a training; see :class:`CVAENetwork`."""
    return _NETWORKS[network_name(config)][1].large


def build_network(shape: tuple[int, int, int], config: NetworkConfig) -> CVAENetwork:
    """Build the network of ``config`` for shards of ``shape`` (rows, columns, channels)."""
    network = _NETWORKS[network_name(config)][1]
    return network(shape, config)
