"""Whether long work shows how far it is."""

from hyperspy.defaults_parser import preferences


def shown(show_progressbar: bool | None) -> bool:
    """Return whether to show a progress bar; None is HyperSpy's preference."""
    if show_progressbar is None:
        return bool(preferences.General.show_progressbar)
    return show_progressbar
