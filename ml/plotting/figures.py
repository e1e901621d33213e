"""Figures small enough to be kept with a run.

Here: an empty one, one as PNG, and a copy of a few kB; matplotlib is loaded by the first.
Not here: what is drawn (`ml.plotting.plots`, `ml.plotting.density`).
"""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 80


def empty(width: float, height: float) -> tuple["Figure", Any]:
    """A figure and its axes; inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def png(figure: "Figure") -> bytes:
    """The same bytes for the same figure."""
    sink = io.BytesIO()
    figure.savefig(sink, format="png", metadata={"Software": None})
    return sink.getvalue()


def thumbnail(picture: bytes) -> bytes:
    """A copy of a PNG of the same size as WebP, 4 to 12 kB for what is drawn here."""
    from PIL import Image

    sink = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(sink, "WEBP", quality=50)
    return sink.getvalue()
