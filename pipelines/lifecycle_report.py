"""What happened in the life of a model as a table; `pipelines.lifecycle` collects it."""

from typing import Any

from rich.console import Console
from rich.table import Table

from ml.core.addresses import command
from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot
from ml.core.time import text_of


def show(report: dict[str, Any], root: DataRoot) -> None:
    """Print the events, what was served by whom, and how to look further."""
    console = Console(width=120, markup=False, emoji=False)  # brackets in a path or a name are no markup
    table = Table(title="Life of a model", title_justify="left")
    for name in ("market time, UTC", "event", "model", "why"):
        table.add_column(name)
    for event in report["events"]:
        table.add_row(text_of(event["at"]), event["event"], event["model"], _why(event))
    console.print(table)
    served = report["served"]
    by_model = ", ".join(f"{count} by {model}" for model, count in served["by_model"].items())
    console.print(f"rows          {served['rows']} scored, {served['served']} served ({by_model})")
    console.print(
        f"              {served['withheld']} withheld for their input, {served['by_fallback']} of a failing model "
        "answered by the other one"
    )
    seconds = report["rollback_s"]
    console.print(f"rollback      {'none' if seconds is None else f'{seconds:.2f} s, loading and trying included'}")
    console.print(f"wall          {report['wall_s']:.0f} s")
    console.print(f"picture       {report['picture']}", soft_wrap=True)
    console.print(
        f"look further  {command(root, 'lobforge', 'models', 'decisions', DEFAULT_EXPERIMENT)}", soft_wrap=True
    )


def _why(event: dict[str, Any]) -> str:
    look = event.get("comparison")
    parts = [str(event[name]) for name in ("why", "fails_on") if name in event]
    if look:
        parts.append(look["detail"])
    if event["event"] == "train":
        parts.append(f"{event['columns']} columns, labels up to {text_of(event['until'])}")
    return "; ".join(parts)
