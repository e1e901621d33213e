"""HTML pages, rendered from templates.

Here: the pages of an evidence packet and of a decision, and that on which cues are reviewed. A page needs nothing from
another machine.
Not here: what they show (`ml.layering.evidence`, `ml.promotion.explained`, `live.review`).
"""

from base64 import b64encode
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from ml.core.time import SECOND

HERE = Path(__file__).parent


def evidence(packet: dict[str, Any], picture: bytes) -> str:
    """The self-contained page of an evidence packet (`ml.layering.evidence.packet`) with its picture (PNG)."""
    by_name = {feature["name"]: feature for feature in packet["features"]}
    largest = max(abs(one["log_odds"]) for one in packet["score"]["contributions"]) or 1.0
    image = b64encode(picture).decode()
    return _environment().get_template("evidence.html").render(packet, picture=image, by_name=by_name, largest=largest)


def decision(explained: dict[str, Any], outcomes: dict[str, str], picture: bytes | None) -> str:
    """The self-contained page of a decision (`ml.promotion.explained.Explained`), with the plot of its looks (PNG)."""
    image = b64encode(picture).decode() if picture else None
    return _environment().get_template("decision.html").render(explained, outcomes=outcomes, picture=image)


def review() -> str:
    """The page on which cues are reviewed."""
    return _environment().get_template("review.html").render()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=select_autoescape(), undefined=StrictUndefined
    )
    environment.filters |= {"clock": _clock, "number": _number, "points": _points}
    return environment


def _clock(ns: int) -> str:
    """A time in ns as people read it: UTC, to the millisecond."""
    moment = datetime.fromtimestamp(ns // SECOND, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ns % SECOND // 10**6:03d}"


def _number(value: float | None) -> str:
    """Four significant digits; what is next to nothing is 0."""
    if value is None or not isfinite(value):
        return "-"
    return "0" if abs(value) < 1e-9 else f"{value:.4g}"


def _points(share: float | None) -> str:
    """A share as points with its sign; what is unknown is a dash."""
    return "-" if share is None else f"{100 * share:+.1f}"
