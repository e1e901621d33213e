"""The table `legacy_samples`: samples of the predecessor by UTC date and instrument, each once, with labels recomputed.

Here: from the sources of a folder to stored partitions.
Not here: reading a source (`ml.legacy.proofs`), the columns (`ml.legacy.columns`).

First each source is read once for its proof, which says the days that it touches. Then day after day is made of all
sources that touch it and of what is stored of others, and published; a receipt names the sources. Killed anywhere, the
next run goes on from there; run again, nothing changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ml.core.errors import StoreError
from ml.core.paths import LEGACY_GROUP, DataRoot, Partition, partition_of
from ml.core.versions import LEGACY_FILES, code_version
from ml.legacy import batches, offline, proofs
from ml.legacy.columns import ROWS, STORED
from ml.legacy.labelling import agreement, labelled, summed
from ml.legacy.parts import Source, utc_date
from ml.storage import commit

TABLE = LEGACY_GROUP
READERS = {"batch": batches.read, "offline": offline.read}


def migrate(root: DataRoot, sources: Sequence[Source], venue: str, dry_run: bool = False) -> dict[str, Any]:
    """Bring sources into the table and say what became of every row.

    Args:
        root: where the table lies.
        sources: of the kinds `batch` and `offline`.
        venue: of the instruments, for example `bybit-linear`.
        dry_run: only say it.

    Raises:
        StoreError: the rows do not add up, or a file could not be stored.
    """
    version = f"{venue}-{code_version(LEGACY_FILES)}"
    if not dry_run:
        proofs.tidy(root, TABLE)
    found: dict[str, dict[str, Any]] = {}
    by_day: dict[str, dict[str, Source]] = {}
    for source in sources:
        document = None if dry_run else proofs.known(root, TABLE, source, version)
        if document is None:
            part = proofs.read(source, venue, READERS[source.kind])
            document = proofs.proof(part) | {"key": part.key} if dry_run else proofs.keep(root, TABLE, part, version)
        found[document["key"]] = document
        for day in document["days"]:
            by_day.setdefault(day, {})[document["key"]] = source
    days = {day: _day(root, day, by_day[day], venue, version, dry_run) for day in sorted(by_day)}
    return _report(found, days)


def deduped(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per instrument and time: the last that has a stored label, else the last; by source name, then row."""
    has_label = pl.any_horizontal(pl.col(list(STORED)).is_not_null())
    ordered = rows.with_columns(has_label=has_label).sort("instrument", "ts", "has_label", "source", "source_row")
    return ordered.unique(["instrument", "ts"], keep="last", maintain_order=True).drop("has_label")


def _day(
    root: DataRoot, date: str, sources: Mapping[str, Source], venue: str, version: str, dry_run: bool
) -> dict[str, Any]:
    """Make one day and its receipt; what the receipt says if it is of these sources and its files stand."""
    receipt = proofs.load(root.receipt(TABLE, date))
    keys = set(sources)
    if receipt.get("code_version") == version and keys <= receipt["sources"].keys() and _stands(root, receipt["files"]):
        return receipt | {"published": 0}
    on_day = utc_date() == pl.lit(date).str.to_date()
    fresh = pl.concat(
        [proofs.read(source, venue, READERS[source.kind]).frame.filter(on_day) for source in sources.values()]
    )
    rows = pl.concat([_others(root, date, fresh["instrument"].unique().to_list(), keys), fresh])
    kept = deduped(rows)
    files = dict[str, str]()
    published = 0
    labels = list[pl.DataFrame]()
    for (instrument,), part in kept.group_by("instrument", maintain_order=True):
        path = root.partition(TABLE, date, str(instrument))
        labels.append(labelled(part, date))
        if not dry_run:
            before = commit.manifest(root, TABLE).get(str(path.relative_to(root.root)))
            entry = commit.publish(root, TABLE, path, labels[-1], version)
            files[entry.path] = entry.sha256
            published += entry != before
    made = {
        "code_version": version,
        "sources": receipt.get("sources", {}) | _counts(rows, kept, keys, receipt),
        "files": receipt.get("files", {}) | files,
        "labels": agreement(pl.concat(labels)),
        "instruments": len(labels),
    }
    if not dry_run:
        proofs.write(root.receipt(TABLE, date), made)
    return made | {"published": published}


def _counts(
    rows: pl.DataFrame, kept: pl.DataFrame, keys: set[str], receipt: dict[str, Any]
) -> dict[str, dict[str, int]]:
    """Rows that each source has on the day, and how many of them are kept."""
    given, left = (dict(frame.group_by("batch").len().iter_rows()) for frame in (rows, kept))
    before = receipt.get("sources", {})
    return {
        key: {"rows": n if key in keys else before.get(key, {"rows": n})["rows"], "kept": left.get(key, 0)}
        for key, n in sorted(given.items())
    }


def _others(root: DataRoot, date: str, instruments: list[str], keys: set[str]) -> pl.DataFrame:
    """What is stored of the day from sources that are not being read."""
    paths = [path for path in sorted(commit.manifest(root, TABLE)) if _is_of(partition_of(path), date, instruments)]
    frames = [
        commit.load(root.root / path).select(ROWS.names()).filter(~pl.col("batch").is_in(list(keys))) for path in paths
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema=ROWS)


def _is_of(key: Partition, date: str, instruments: list[str]) -> bool:
    return key.date == date and key.instrument in instruments


def _stands(root: DataRoot, files: dict[str, str]) -> bool:
    paths = {root.root / path: sha for path, sha in files.items()}
    return all(path.exists() and commit.sha256_file(path) == sha for path, sha in paths.items())


def _report(found: dict[str, dict[str, Any]], days: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Totals; every row is kept, a duplicate of a kept one, or quarantined."""
    counts = [day["sources"][key] for day in days.values() for key in found if key in day["sources"]]
    rows = sum(d["rows"] for d in found.values())
    kept = sum(c["kept"] for c in counts)
    faults = proofs.faults(found.values())
    quarantined = sum(faults["quarantined"].values())
    duplicates = sum(c["rows"] - c["kept"] for c in counts)
    if rows != kept + duplicates + quarantined:
        raise StoreError(
            f"{TABLE}: {rows} rows were read, but {kept} kept, {duplicates} duplicates and {quarantined} "
            "quarantined do not add up to them. A source changed meanwhile: migrate again."
        )
    verdicts = [v["scaled"] for d in found.values() for v in d.get("scaled", {}).values()]
    return {
        "sources": len(found),
        "rows": rows,
        "kept": kept,
        "duplicates": duplicates,
        **faults,
        "days": len(days),
        "files_written": sum(day["published"] for day in days.values()),
        "features": {"scaled": verdicts.count(True), "raw": verdicts.count(False), "unknown": verdicts.count(None)},
        "labels": summed([day["labels"] for day in days.values()]),
    }
