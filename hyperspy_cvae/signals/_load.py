"""Loading files that hold more than a spectrum image."""

import os
from typing import Any


def load(filename: str | os.PathLike[str], lazy: bool = False, **kwds: Any) -> Any:
    """Load a file and make anomaly signals of its EELS spectrum images, leaving the rest.

    ``hs.load(..., signal_type="EELSAnomaly")`` turns every signal of a file into one, survey
    images included.

    Parameters
    ----------
    filename
        Name of the file, in any format that HyperSpy reads.
    lazy
        Whether to read the data only when needed.
    **kwds
        Passed to :func:`hyperspy.api.load`.

    Returns
    -------
    signal or list of signals
        As :func:`hyperspy.api.load` returns them.

    Raises
    ------
    ValueError
        If ``signal_type`` is given, which would convert everything.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from hyperspy_cvae.phantoms import bifeo3
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "SI.hspy"
    ...     signal = bifeo3((8, 8), channels=32).signal
    ...     signal.set_signal_type("EELS")
    ...     signal.save(path)
    ...     load(path)
    <EELSAnomalySignal, title: BiFeO3 phantom, dimensions: (8, 8|32)>
    """
    import hyperspy.api as hs
    from exspy.signals import EELSSpectrum

    if "signal_type" in kwds:
        raise ValueError(
            f"signal_type {kwds['signal_type']!r} was given, but load decides it for each signal: "
            "leave it out, or use hs.load."
        )
    loaded = hs.load(os.fspath(filename), lazy=lazy, **kwds)
    for signal in loaded if isinstance(loaded, list) else [loaded]:
        if isinstance(signal, EELSSpectrum):
            signal.set_signal_type("EELSAnomaly")
    return loaded
