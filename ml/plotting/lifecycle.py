"""Plots of a model's life as PNG bytes.

Here: the timeline of what happened, and the gain of the challenger with its bounds at each look.
Not here: what happened (`ml.promotion`), where the plots are shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ml.core.time import HOUR, text_of
from ml.plotting.figures import empty, png

COLOURS = {
    "train": "#888888",
    "challenge": "#1f77b4",
    "shadow": "#17becf",
    "split": "#ff7f0e",
    "promote": "#2ca02c",
    "fault": "#d62728",
    "rollback": "#9467bd",
    "retire": "#444444",
}
SERVES = "#2ca02c"
SCORES = "#b8d8f0"
SPLITS = "#ffbb78"


def timeline(events: Sequence[Mapping[str, Any]], models: Mapping[str, str], until: int) -> bytes:
    """When each model served and scored, one row per model, with a mark for each event.

    Args:
        events: `event`, `at` (ns UTC) and `model`, in order of time.
        models: ids of the models by what they are called.
        until: end of the last interval, ns UTC.
    """
    figure, axes = empty(10, 3.2)
    names = list(models)
    if events:
        start = min(event["at"] for event in events)
        for model, begin, end, colour in _spans(events, models, until):
            row = names.index(next(name for name, known in models.items() if known == model))
            axes.barh(row, (end - begin) / HOUR, left=(begin - start) / HOUR, height=0.36, color=colour)
        for number, event in enumerate(events):
            hour = (event["at"] - start) / HOUR
            axes.axvline(hour, color=COLOURS.get(event["event"], "black"), lw=0.8, ls=":")
            height = len(names) - 0.45 + 0.17 * (number % 4)
            axes.text(hour, height, event["event"], fontsize=7, color=COLOURS.get(event["event"], "black"))
        axes.set(xlabel=f"hours of market time since {text_of(start)} UTC", ylim=(-0.6, len(names) + 0.35))
    axes.set(yticks=range(len(names)), yticklabels=[f"{name}\n{models[name][:8]}" for name in names])
    axes.set_title("green serves all rows, orange a share of them, blue scores every row and serves none", fontsize=8)
    return png(figure)


def gains(looks: Sequence[Mapping[str, Any]]) -> bytes:
    """Gain of the challenger in points of macro-accuracy with its bounds, by time of the look."""
    figure, axes = empty(8, 2.6)
    known = [one for one in looks if one["lower"] is not None]
    if known:
        start = looks[0]["at"]
        hours = [(one["at"] - start) / HOUR for one in known]
        gain = [100 * one["gain"] for one in known]
        below = [100 * (one["gain"] - one["lower"]) for one in known]
        above = [100 * (one["upper"] - one["gain"]) for one in known]
        axes.errorbar(hours, gain, yerr=[below, above], fmt="o-", ms=3, capsize=2, lw=1)
    axes.axhline(0, color="black", lw=0.8)
    axes.set(
        xlabel="hours since the first look", ylabel="points", title="Gain of the challenger, with the look's bounds"
    )
    return png(figure)


def _spans(
    events: Sequence[Mapping[str, Any]], models: Mapping[str, str], until: int
) -> list[tuple[str, int, int, str]]:
    """Model, begin and end (ns) and colour of each interval between two events."""
    champion, challenger = models.get("champion"), models.get("challenger")
    found: list[tuple[str, int, int, str]] = []
    stage = "alone"
    for event, following in zip(events, [*events[1:], None], strict=True):
        match event["event"]:
            case "shadow" | "split":
                stage = event["event"]
            case "promote":
                stage = "watch"
            case "rollback" | "refuse" | "insufficient":
                stage = "back"
            case _:
                pass
        end = following["at"] if following else max(until, event["at"])
        colours = {
            "shadow": (SERVES, SCORES),
            "split": (SERVES, SPLITS),
            "watch": (SCORES, SERVES),
            "back": (SERVES, None),
        }.get(stage, (None, None))
        for model, colour in zip((champion, challenger), colours, strict=True):
            if model is not None and colour is not None:
                found.append((model, event["at"], end, colour))
    return found
