"""The ipywidgets panel of a decision."""

from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
from hyperspy_gui_ipywidgets.utils import add_display_arg, labelme
from IPython import get_ipython
from link_traits import link

from hyperspy_cvae.detection import QUANTITIES
from hyperspy_cvae.gui._decision import AnomalyDecision
from hyperspy_cvae.plotting import HISTOGRAM_SPAN

_WIDTH = 520  # pixels of a picture
_HANDLE = 16  # pixels


def anomaly_decision_ipy(obj: AnomalyDecision, display: bool = True) -> dict[str, Any] | None:
    """Show the panel, or return its widgets.

    Raises
    ------
    RuntimeError
        If it is to be shown where there is no notebook.
    """
    if display and not hasattr(get_ipython(), "kernel"):
        raise RuntimeError(
            "found.decide() is a panel for a notebook, and this is none: give the settings "
            "instead, such as found.decide(-8.0, smallest_region=5)."
        )
    shown: dict[str, Any] | None = _widgets(obj, display=display)
    return shown


@add_display_arg
def _widgets(obj: AnomalyDecision) -> dict[str, Any]:
    """Return the widgets by name, and under ``"widget"`` the panel they make up."""
    left, right = (round(_WIDTH * each) for each in HISTOGRAM_SPAN)
    # The middle of the handle is where the axis of the histogram is.
    below = {"width": f"{right - left + _HANDLE}px", "margin": f"0 0 0 {left - _HANDLE // 2}px"}
    lowest, highest = obj.energies
    wdict: dict[str, Any] = {
        "map": ipywidgets.Image(format="png", width=_WIDTH),
        "histogram": ipywidgets.Image(format="png", width=_WIDTH),
        "slider": ipywidgets.FloatSlider(readout=False, layout=ipywidgets.Layout(**below)),
        "threshold": ipywidgets.FloatText(),
        "smallest_region": ipywidgets.IntSlider(min=1, max=max(50, obj.smallest_region)),
        "score": ipywidgets.Dropdown(options=[(name, key) for key, name in QUANTITIES.items()]),
        "signal_range": ipywidgets.FloatRangeSlider(
            min=lowest, max=highest, step=obj.step, continuous_update=False, readout_format=".1f"
        ),
        "summary": ipywidgets.HTML(),
        "automatic": ipywidgets.Button(
            description="Automatic", tooltip="Go back to the automatic threshold"
        ),
        "apply": ipywidgets.Button(
            description="Apply", tooltip="Change the mask of the maps", button_style="primary"
        ),
        "reset": ipywidgets.Button(description="Reset", tooltip="Give the maps back as they were"),
    }

    def follow_limits(event: Any = None) -> None:
        low, high = obj.limits
        slider = wdict["slider"]
        with slider.hold_trait_notifications():
            slider.min, slider.max, slider.step = low, high, (high - low) / _WIDTH

    follow_limits()
    obj.observe(follow_limits, "limits")
    _link_number(obj, "threshold", wdict["slider"])
    _link_number(obj, "threshold", wdict["threshold"], lambda value: float(f"{value:.5g}"))
    _link_number(obj, "signal_range", wdict["signal_range"])
    for name in ("smallest_region", "score"):
        link((obj, name), (wdict[name], "value"))
    for name, shown in (
        ("map_picture", "map"),
        ("histogram_picture", "histogram"),
        ("summary",) * 2,
    ):
        wdict[shown].value = getattr(obj, name)
        # Not by dlink, to which traits keep no more than a weak reference.
        obj.observe(lambda event, shown=shown: wdict[shown].set_trait("value", event.new), name)
    wdict["automatic"].on_click(lambda _: obj.trait_set(method="auto"))
    wdict["apply"].on_click(lambda _: obj.apply())
    wdict["reset"].on_click(lambda _: obj.reset())
    settings = [
        labelme("Threshold", wdict["threshold"]),
        labelme("Smallest region (pixels)", wdict["smallest_region"]),
        labelme("Score", wdict["score"]),
        labelme(f"Compared ({obj.units})", wdict["signal_range"]),
        wdict["summary"],
        ipywidgets.HBox([wdict[name] for name in ("apply", "automatic", "reset")]),
    ]
    beside = [wdict["histogram"], wdict["slider"], *settings]
    wdict["widget"] = ipywidgets.HBox([wdict["map"], ipywidgets.VBox(beside)])
    return wdict


def _link_number(
    obj: AnomalyDecision, name: str, widget: Any, shown: Callable[[Any], Any] = lambda value: value
) -> None:
    """Link a widget, but for what it does to a number by itself: it rounds, or has steps."""

    def moved(change: Any) -> None:
        by = np.abs(np.subtract(change.new, shown(getattr(obj, name)))).max()
        if by > 0.6 * (widget.step or 0):
            obj.trait_set(**{name: change.new})

    def follow(event: Any = None) -> None:
        value = shown(getattr(obj, name))
        if np.all(np.isfinite(value)):
            widget.value = value

    follow()
    widget.observe(moved, "value")
    obj.observe(follow, name)
