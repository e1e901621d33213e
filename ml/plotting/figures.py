"""Figures small enough to be kept with a run.

Here: an empty one, one as PNG, and a copy of a few kB; matplotlib is loaded by the first.
Not here: what is drawn (`ml.plotting.plots`, `ml.plotting.density`).
"""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 80
WIDTHS = (480, 320, 240)
"""Pixels of a small copy; a narrower one is taken where a wider one is too large."""
SMALL = 4_000
"""Bytes of a small copy."""


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
    """A smaller copy of a PNG as WebP: at most `SMALL` bytes, or the narrowest."""
    from PIL import Image

    whole = Image.open(io.BytesIO(picture)).convert("RGB")
    copy = b""
    for width in WIDTHS:
        sink = io.BytesIO()
        small = whole.resize((width, round(whole.height * width / whole.width)), Image.Resampling.LANCZOS)
        small.save(sink, "WEBP", quality=20)
        copy = sink.getvalue()
        if len(copy) <= SMALL:
            break
    return copy
