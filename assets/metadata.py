"""Asset metadata in the Dagster UI: pictures and small tables. Drawing belongs to `ml.plotting`."""

import base64
from typing import Any

import dagster as dg
import polars as pl

from ml.core.paths import DataRoot
from ml.features.sets import OF_SAMPLES
from ml.market import gaps
from ml.plotting import density, plots
from ml.plotting.figures import thumbnail
from ml.storage.parquet import Stored
from ml.tables.spec import TableSpec


def picture(root: DataRoot, table: str, partition: str | None, png: bytes) -> dg.MarkdownMetadataValue:
    """A small copy of a plot, and the path of the plot itself: the event log keeps what stands in it for ever."""
    path = root.picture(table, partition)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png)
    small = base64.b64encode(thumbnail(png)).decode()
    return dg.MetadataValue.md(f"![plot](data:image/webp;base64,{small})\n\n`{path.resolve()}`")


def asked_by(context: dg.AssetExecutionContext) -> str:
    """Who, or what, asked for a run: a schedule, a sensor, or a person by the name that Dagster knows."""
    tags = context.run.tags
    for tag, kind in (("dagster/schedule_name", "schedule"), ("dagster/sensor_name", "sensor"), ("user", "user")):
        if tag in tags:
            return f"{kind} {tags[tag]}"
    return "by hand"


def table(frame: pl.DataFrame) -> dg.TableMetadataValue:
    """A small frame as a table; floats with four digits, lists and times as text."""
    records = [
        dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in frame.iter_rows(named=True)
    ]
    schema = dg.TableSchema([dg.TableColumn(name, str(dtype)) for name, dtype in frame.schema.items()])
    return dg.MetadataValue.table(records, schema)


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


def rows_by_minute(root: DataRoot, table: str, partition: str | None, rows: Stored) -> dict[str, Any]:
    """Where in the day the rows of a stored table lie; nothing for one that has a picture of its own."""
    column = density.TIMES.get(table)
    if column is None:
        return {}
    drawn = density.picture(density.by_minute(rows.parts(column), column))
    return {"rows by minute": picture(root, table, partition, drawn)}


def known_time(root: DataRoot, partition: str, intervals: pl.DataFrame, instrument: str) -> dict[str, Any]:
    """Of a day's intervals (`ml.market.gaps.of_day`): a heat-map of all instruments, share and gaps of one."""
    own = gaps.coverage(intervals.filter(pl.col("instrument") == instrument)).row(0, named=True)
    drawn = picture(root, "validity", partition, plots.known_hours(gaps.hours(intervals)))
    return {"share of the day known": own["share"], "gaps": own["gaps"], "known by hour": drawn}


def feature_coverage(root: DataRoot, partition: str, rows: pl.DataFrame) -> dict[str, Any]:
    """Of a day's features: rows by null reason, and the share of rows in which each has a value, and each set all."""
    from ml.features.tick.build import coverage, null_counts, whole_rows

    shares = coverage(rows)
    whole = {f"share of whole rows, {name}": whole_rows(rows, chosen.columns) for name, chosen in OF_SAMPLES.items()}
    drawn = picture(root, "features", partition, plots.known_features(shares))
    shown = {"coverage by feature": drawn, "least coverage": table(shares.sort("share", maintain_order=True).head(10))}
    return {"rows by null reason": table(null_counts(rows))} | whole | shown


def _cell(value: object) -> str | int | float | None:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value if value is None or isinstance(value, (str, int)) else str(value)
