"""What was found, as a notebook shows it."""

from base64 import b64encode
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined


def as_html(title: str, lines: Sequence[tuple[str, str]], png: bytes) -> str:
    """Return a summary with a picture as HTML.

    Parameters
    ----------
    title
        What it is about.
    lines
        Names and what is to be said of each.
    png
        The picture.

    Examples
    --------
    >>> "&lt;none&gt;" in as_html("Maps", [("anomalous", "<none>")], b"")
    True
    """
    environment = Environment(
        loader=PackageLoader("hyperspy_cvae.plotting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("found.html")
    return template.render(title=title, lines=lines, picture=b64encode(png).decode())
