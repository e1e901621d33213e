"""Asset metadata in the Dagster UI: pictures and small tables. Drawing belongs to `ml.plotting.plots`."""

import base64
from typing import Any

import dagster as dg
import polars as pl

from ml.features.sets import SETS
from ml.market import gaps
from ml.plotting import density, plots
from ml.storage.parquet import Stored
from ml.tables.spec import TableSpec


def image(png: bytes) -> dg.MarkdownMetadataValue:
    """A PNG, embedded; keep it below 100 kB, since the event log keeps it for ever."""
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{base64.b64encode(png).decode()})")


def table(frame: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """A small frame as a Markdown table; floats with four digits."""
    header = "| " + " | ".join(frame.columns) + " |\n|" + " --- |" * frame.width + "\n"
    return dg.MetadataValue.md(
        header + "\n".join("| " + " | ".join(_cell(value) for value in row) + " |" for row in frame.iter_rows())
    )


def described(spec: TableSpec) -> dict[str, Any]:
    """Of a table's definition: columns with type, unit and description, where they come from, what a row is."""
    columns = [
        dg.TableColumn(
            column.name,
            str(column.dtype),
            column.description,
            dg.TableColumnConstraints(
                nullable=column.name != spec.clock, other=[f"unit: {column.unit}"] if column.unit else []
            ),
        )
        for column in spec.columns
    ]
    rules = dg.TableConstraints([rule.description for rule in spec.rules])
    shown: dict[str, Any] = {
        "dagster/column_schema": dg.TableSchema(columns, rules),
        "row": spec.row,
        "partitioning": str(spec.partitioning),
    }
    if spec.clock:
        shown["clock"] = spec.clock
    if spec.lineage:
        origins = {
            name: [dg.TableColumnDep(asset_key=dg.AssetKey(table), column_name=column)]
            for name, (table, column) in spec.lineage.items()
        }
        shown["dagster/column_lineage"] = dg.TableColumnLineage(origins)
    return shown


def rows_by_minute(table: str, rows: Stored) -> dict[str, Any]:
    """Where in the day the rows of a stored table lie; nothing for one that has a picture of its own."""
    column = density.TIMES.get(table)
    return {"rows by minute": image(density.picture(density.by_minute(rows.parts(column), column)))} if column else {}


def known_time(intervals: pl.DataFrame, instrument: str) -> dict[str, Any]:
    """Of a day's intervals (`ml.market.gaps.of_day`): a heat-map of all instruments, share and gaps of one."""
    own = gaps.coverage(intervals.filter(pl.col("instrument") == instrument)).row(0, named=True)
    picture = image(plots.known_hours(gaps.hours(intervals)))
    return {"share of the day known": own["share"], "gaps": own["gaps"], "known by hour": picture}


def feature_coverage(rows: pl.DataFrame) -> dict[str, Any]:
    """Of a day's features: rows by null reason, and the share of rows in which each has a value, and each set all."""
    from ml.features.tick.build import coverage, null_counts, whole_rows

    shares = coverage(rows)
    whole = {f"share of whole rows, {name}": whole_rows(rows, chosen.columns) for name, chosen in SETS.items()}
    shown = {"coverage by feature": image(plots.known_features(shares)), "coverage": table(shares)}
    return {"rows by null reason": table(null_counts(rows))} | whole | shown


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
