"""The report of the demo as tables; `pipelines.demo` collects its numbers."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ml.core.addresses import command
from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot

COLOURS = {
    "pass": "green",
    "promote": "green",
    "challenge": "green",
    "fail": "red",
    "refuse": "red",
    "insufficient": "yellow",
}
SHOWN_SCORES = (
    "train",
    "test",
    "majority",
    "last_direction",
    "logistic_imbalance",
    "log_loss",
    "calibration_error",
    "auc",
)
"""What a terminal has room for; the report holds all scores of a fold."""


def show(report: dict[str, Any], root: DataRoot) -> None:
    """Print what was captured, what was found, the decision with every gate, and how to look further."""
    console = Console(width=120, markup=False, emoji=False)  # brackets in a path or a name are no markup
    console.print(_captured(report))
    for gap in report["gaps"]:
        console.print(_gap(gap), soft_wrap=True)
    for table in (_folds(report), _figures(report), canaries_table(report), gates_table(report)):
        if table.row_count:
            console.print(table)
    parity = report["parity"]
    live = report["live"]
    withheld = ", ".join(f"{n} {reason}" for reason, n in sorted(live["withheld"].items())) or "none"
    console.print(
        f"live replay   {parity['rows']} rows compared with the batch, {parity['mismatches']} mismatches "
        f"({parity['rows_with_values']} with all features of the set)"
    )
    console.print(f"signals       {live['signals']}, withheld: {withheld}")
    decision = Text(report["decision"], style=f"bold {COLOURS[report['decision']]}")
    rest = f", champion {report['champion'] or 'none'}, record {report['record'][:16]}"
    console.print(Text.assemble("decision      ", decision, rest))
    for name, other in report.get("experiments", {}).items():
        if name != DEFAULT_EXPERIMENT:
            console.print(_other(name, other))
    console.print(f"wall          {report['wall_s']:.0f} s")
    further = f"look further  {command(root, 'make', 'ui')}, then http://127.0.0.1:3000"
    console.print(further, soft_wrap=True)


def _other(name: str, learned: dict[str, Any]) -> Text:
    decision = Text(learned["decision"], style=f"bold {COLOURS[learned['decision']]}")
    missed = [f"{gate['name']} {gate['outcome']}" for gate in learned["gates"] if gate["outcome"] != "pass"]
    rest = f", champion {learned['champion'] or 'none'}, record {learned['record'][:16]}; {', '.join(missed)}"
    return Text.assemble(f"{name:<13} ", decision, rest)


def _captured(report: dict[str, Any]) -> Table:
    table = Table(title="Captured", title_justify="left")
    for name in ("partition", "frames", "level rows", "trades", "samples", "labelled 10 s", "30 s", "60 s"):
        table.add_column(name, justify="left" if name == "partition" else "right")
    for part in report["partitions"]:
        key = part["partition"]
        rows = part["rows"]
        shares = [f"{100 * report['label_coverage'][f'{key} {h}']:.1f} %" for h in ("10s", "30s", "60s")]
        table.add_row(key, *(f"{rows[n]:,}" for n in ("raw_frames", "book_events", "trades", "book_samples")), *shares)
    return table


def _gap(gap: dict[str, Any]) -> Text:
    end = _time(gap["end"]) if gap["end"] else "the end"
    stretch = f"{gap['instrument']} {_time(gap['start'])} to {end}"
    ids = f"ids {gap['from_id']} to {gap['to_id']}"
    return Text.assemble(("gap", "yellow"), f"           {stretch}: {gap['reason']}, {ids}")


def _folds(report: dict[str, Any]) -> Table:
    table = Table(title="Walk-forward, macro-accuracy (1/3 is chance)", title_justify="left")
    columns = ("fold", "rows", *SHOWN_SCORES)
    for name in columns:
        table.add_column(name.replace("_", " "), justify="right")
    for fold in report["folds"]:
        table.add_row(*(number(fold[name]) for name in columns))
    return table


def _figures(report: dict[str, Any]) -> Table:
    """What the predecessors were sold by, with intervals beside their claims."""
    table = Table(title="Figures, 95 % intervals", title_justify="left")
    for name in ("figure", "value", "lower", "upper", "predecessors", "of"):
        table.add_column(name)
    for figure in report["figures"]:
        values = [number(figure[name]) for name in ("value", "lower", "upper", "claimed")]
        table.add_row(figure["name"], *values, figure["of"])
    return table


def canaries_table(report: dict[str, Any]) -> Table:
    """The canaries of a report as a table; without rows where there are none."""
    table = Table(title="Leak canaries", title_justify="left")
    for name in ("canary", "alive", "value", "limit", "of"):
        table.add_column(name)
    for canary in report["canaries"]:
        alive = Text("yes", style="green") if canary["passed"] else Text("no", style="red")
        table.add_row(canary["name"], alive, number(canary["value"]), number(canary["limit"]), canary["detail"])
    return table


def gates_table(report: dict[str, Any]) -> Table:
    """The gates of a report as a table."""
    table = Table(title="Gates", title_justify="left")
    for name in ("gate", "outcome", "value", "threshold", "required", "detail"):
        table.add_column(name)
    for gate in report["gates"]:
        outcome = Text(gate["outcome"], style=COLOURS[gate["outcome"]])
        table.add_row(
            gate["name"],
            outcome,
            number(gate["value"]),
            number(gate["threshold"]),
            "yes" if gate["required"] else "shown",
            gate["detail"],
        )
    return table


def _time(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1e9, UTC).strftime("%m-%d %H:%M:%S.%f")[:-3]


def number(value: float | None) -> str:
    """A count or a value with four digits, `-` where there is none."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
