"""Figures small enough to be kept with a run.

Here: an empty one, one as PNG, and a copy of a few kB; matplotlib is loaded by the first.
Not here: what is drawn (`ml.plotting.plots`, `ml.plotting.density`).
"""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 80
WIDTH = 480
"""Pixels of a small copy."""


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
    """A smaller copy of a PNG as WebP, 2 to 17 kB for what is drawn here."""
    from PIL import Image

    sink = io.BytesIO()
    whole = Image.open(io.BytesIO(picture)).convert("RGB")
    small = whole.resize((WIDTH, round(whole.height * WIDTH / whole.width)), Image.Resampling.LANCZOS)
    small.save(sink, "WEBP", quality=20)
    return sink.getvalue()
