"""Materializing assets of the product on a data root, and looking at what a run says."""

import json
from pathlib import Path
from shutil import copytree

import dagster as dg

from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot
from ml.storage.commit import publish, read
from tests.support.scenario import INSTRUMENT, listing

DATE = "2025-03-04"
DAY_BEFORE = "2025-03-03"
DECODED = ("book_events", "trades", "validity", "trade_validity", "quarantine")


def graph():
    """All assets of the product."""
    from pipelines.definitions import assets

    return list(dg.load_assets_from_package_module(assets))


def copy_of(root, folder):
    """A copy of a data root that a test may change."""
    copytree(root.root, folder / "data")
    return DataRoot(folder / "data")


def make(root, *names, date=DATE, experiment=DEFAULT_EXPERIMENT, resources=None, **options):
    """Materialize assets, or a job's selection, of a day, of an experiment or of no partition."""
    from pipelines.definitions import resources_of

    key = dg.MultiPartitionKey({"date": date, "instrument": INSTRUMENT.id}) if date else experiment
    given = resources_of(root) | (resources or {})
    with listing(INSTRUMENT.id) as instance:
        instance.add_dynamic_partitions("experiment", list({DEFAULT_EXPERIMENT, experiment or DEFAULT_EXPERIMENT}))
        options |= {"selection": _selected(names), "partition_key": key, "resources": given, "instance": instance}
        return dg.materialize(graph(), **options)


def _selected(names):
    return names[0] if isinstance(names[0], dg.AssetSelection) else list(names)


def stored(root, table, date=DATE):
    """The stored partition of a table, or the table without partitions."""
    return read(root.partition(table, date, INSTRUMENT.id) if date else root.whole(table)).collect()


def spoil(root, table, change, date=DATE):
    """Replace a stored partition by a changed one."""
    publish(root, table, root.partition(table, date, INSTRUMENT.id), change(stored(root, table, date)), "spoiled")


def document(root, name):
    """A stored JSON document."""
    return json.loads(root.document(name).read_text())


def checks(result):
    """Whether each rule held, by table and rule."""
    return {(e.asset_key.path[-1], e.check_name): e.passed for e in result.get_asset_check_evaluations()}


def shown(result, table):
    """The metadata of a table's materialization."""
    events = [e.materialization for e in result.get_asset_materialization_events() if e.asset_key.path[-1] == table]
    return events[0].metadata


def lines(result, table, name):
    """The records of a table among the metadata of a materialization."""
    return [dict(record.data) for record in shown(result, table)[name].records]


def drawn(result, table, name):
    """The PNG of a plot, which lies in a file, and the bytes that the event log holds of it."""
    inline, path = shown(result, table)[name].value.split("\n\n")
    assert inline.startswith("![plot](data:image/webp;base64,")
    return Path(path.strip("`")).read_bytes(), len(inline)


def columns_of(table):
    """The columns that the definition of a table's asset shows."""
    from pipelines.definitions import defs

    (spec,) = [one for one in defs().resolve_all_asset_specs() if one.key.path[-1] == table]
    return spec.metadata["dagster/column_schema"].columns


def made(result):
    """The tables that a run materialized."""
    return {event.asset_key.path[-1] for event in result.get_asset_materialization_events()}
