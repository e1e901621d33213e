"""What was learned from votes on cues as tables; `pipelines.layering` collects its numbers."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ml.core.addresses import command
from ml.core.paths import LAYERING_MODEL, DataRoot
from pipelines.report import COLOURS, canaries_table, gates_table, number

RATES = ("precision", "recall", "f1", "accuracy", "roc_auc", "pr_auc", "brier", "calibration_error")


def show(report: dict[str, Any], root: DataRoot) -> None:
    """Print the labels, how good each model is, the decision with every gate, and how to look further."""
    console = Console(width=120, markup=False, emoji=False)  # brackets in a path or a name are no markup
    if "wall_s" in report:
        console.print(
            f"market        {report['hours']:g} h with {report['episodes']} planted episodes of layering and "
            f"{report['look_alikes']} that look like it; {report['cues']} cues"
        )
    for table in (_labels(report), _scores(report), _features(report)):
        if table.row_count:
            console.print(table)
    for table in (canaries_table(report), gates_table(report)):
        if table.row_count:
            console.print(table)
    decision = Text(report["decision"], style=f"bold {COLOURS[report['decision']]}")
    version = f"version {report['version']} of {LAYERING_MODEL}" if report["version"] else "no model"
    rest = f", {version}, champion {report['champion'] or 'none'}, record {report['record'][:16]}"
    console.print(Text.assemble("decision      ", decision, rest))
    if "wall_s" in report:
        console.print(f"wall          {report['wall_s']:.0f} s")
    further = command(root, "lobforge", "models", "decisions", LAYERING_MODEL)
    console.print(f"look further  {further}", soft_wrap=True)


def _labels(report: dict[str, Any]) -> Table:
    table = Table(title="Cues by label", title_justify="left")
    for name in ("says", "layering", "not", "undecided"):
        table.add_column(name, justify="left" if name == "says" else "right")
    tiers = dict.fromkeys(row["tier"] for row in report["labels"])
    for tier in tiers:
        count = {row["label"]: row["len"] for row in report["labels"] if row["tier"] == tier}
        table.add_row(tier or "nobody", *(f"{count.get(label, 0):,}" for label in (1, 0, None)))
    return table


def _scores(report: dict[str, Any]) -> Table:
    table = Table(title="Cues after all training", title_justify="left")
    scores = report["scores"]
    for name in ("", *scores):
        table.add_column(name.replace("_", " "), justify="right" if name else "left")
    for rate in RATES:
        table.add_row(rate.replace("_", " "), *(number(scored[rate]) for scored in scores.values()))
    for count in ("10", "50", "100"):
        shares = (number(scored["precision_at"].get(count)) for scored in scores.values())
        table.add_row(f"precision of the first {count}", *shares)
    for kind in ("found", "false_alarms", "missed", "rejected"):
        table.add_row(kind.replace("_", " "), *(number(scored["confusion"][kind]) for scored in scores.values()))
    return table if scores else Table()


def _features(report: dict[str, Any]) -> Table:
    table = Table(title="Features that count most", title_justify="left")
    table.add_column("feature")
    table.add_column("share", justify="right")
    for name, share in sorted(report["importance"].items(), key=lambda item: -item[1]):
        table.add_row(name, f"{100 * share:.1f} %")
    return table
