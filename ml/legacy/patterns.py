"""The table `legacy_layering`: the predecessor's layering patterns, each once, by UTC date and instrument.

Here: reading a file of any generation, joining copies of a pattern, setting `statistics.json` beside what was found.
Not here: detecting or labelling patterns.

Label scripts wrote copies (`_outcome`, `_labeled`) with the same ids, and wrote whole days over single files. Of the
copies of a pattern the best-labelled one is kept: by hand before price action before automatic before none; a later
generation before an earlier one. What the outcome script added is taken over from whichever copy has it.
"""

from collections.abc import Sequence
from typing import Any

import orjson
import polars as pl

from ml.core.errors import SourceRefused
from ml.core.paths import DataRoot
from ml.core.versions import LEGACY_FILES, code_version
from ml.legacy import proofs
from ml.legacy.clock import normalise
from ml.legacy.columns import OUTCOME, PATTERN, PATTERNS
from ml.legacy.parts import Part, Source, proof, symbols_named, utc_date
from ml.legacy.tables import load
from ml.storage import commit
from ml.tables.spec import conform

TABLE = "legacy_layering"
GENERATIONS = ("base", "outcome", "labeled")
_STATED = {"total_collected": "patterns", "total_labeled": "labelled", "total_saved": "rows"}


def read(part: Part, venue: str) -> Part:
    """The rows of a file of patterns.

    Raises:
        SourceRefused: it is no parquet file, or has no ids.
    """
    raw = load(part.source.files["data"])
    lacking = {"data_id", "timestamp", "symbol"} - set(raw.columns)
    if lacking:
        raise SourceRefused("unknown_columns", f"no {min(lacking)} among {raw.width} columns", raw.height)
    part.rows = raw.height
    times = normalise(raw["timestamp"])
    place = pl.concat_str(pl.lit(part.source.name + "#"), pl.int_range(pl.len()))
    label = pl.concat_str(
        pl.lit(" label "), pl.col("is_true_layering"), pl.lit(" by "), pl.col("label_source").fill_null("nobody")
    )
    frame = pl.DataFrame([part.take(raw, name, dtype) for name, dtype in PATTERN.items()]).with_columns(
        ts=times["ts"],
        instrument=pl.concat_str(pl.lit(venue + "."), "symbol"),
        outcome_from=pl.when(pl.any_horizontal(pl.col(list(OUTCOME)).is_not_null())).then(place),
        copies=pl.concat_list(pl.concat_str(place, label.fill_null(" no label"))),
        generation=pl.lit(_generation(part.source.name)),
        batch=pl.lit(part.key),
        source=pl.lit(part.source.name),
        source_row=pl.int_range(pl.len()),
    )
    identified = frame["data_id"].is_not_null() & (frame["data_id"] != "")
    reason = (
        times["reason"]
        .fill_null(symbols_named(frame["symbol"]))
        .fill_null(pl.select(pl.when(~identified).then(pl.lit("no_data_id"))).to_series())
    )
    part.quarantined = {name: (reason == name).arg_true().to_list() for name in reason.drop_nulls().unique().sort()}
    part.frame = conform(frame.filter(reason.is_null()), PATTERNS, TABLE)
    part.facts = {"first_ts": part.frame["ts"].min(), "last_ts": part.frame["ts"].max()}
    part.unread = sorted(set(raw.columns) - set(PATTERN) - {"timestamp"})
    return part


def migrate(root: DataRoot, sources: Sequence[Source], venue: str, dry_run: bool = False) -> dict[str, Any]:
    """Bring files of patterns into the table, and say what became of every row.

    Args:
        root: where the table lies.
        sources: of the kinds `layering` and `statistics`.
        venue: of the instruments, for example `bybit-linear`.
        dry_run: only say it.
    """
    version = f"{venue}-{code_version(LEGACY_FILES)}"
    parts = [proofs.read(source, venue, read) for source in sources if source.kind == "layering"]
    with_ids = [part.frame for part in parts if part.frame.height]
    fresh = pl.concat(with_ids) if with_ids else pl.DataFrame(schema=PATTERNS)
    kept = joined(fresh, _stored(root))
    mine = kept.filter(pl.col("batch").is_in([part.key for part in parts]))
    written = 0
    if not dry_run:
        proofs.tidy(root, TABLE)
        for part in parts:
            proofs.keep(root, TABLE, part, version)
        written = _publish(root, kept, version)
    found = {"patterns": fresh["data_id"].n_unique(), "rows": fresh.height}
    found["labelled"] = fresh.drop_nulls("is_true_layering")["data_id"].n_unique()
    return {
        "sources": len(parts),
        "rows": sum(part.rows for part in parts),
        "kept": mine.height,
        "duplicates": fresh.height - mine.height,
        **proofs.faults(map(proof, parts)),
        "files_written": written,
        "labelled": kept["is_true_layering"].count(),
        "statistics": [_reconciled(source, found) for source in sources if source.kind == "statistics"],
    }


def joined(fresh: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Every pattern once, in the columns of `PATTERNS`, in order of time; the copies of all are named."""
    rows = pl.concat([stored.with_columns(fresh=pl.lit(0)), fresh.with_columns(fresh=pl.lit(1))])
    ranked = rows.with_columns(rank=_rank(), later=pl.col("generation").replace_strict(GENERATIONS, [0, 1, 2]))
    ordered = ranked.sort("data_id", "rank", "later", "source", "source_row", "fresh")
    best = ordered.unique("data_id", keep="last", maintain_order=True)
    outcomes = rows.drop_nulls("outcome_from").sort("outcome_from", "fresh").unique("data_id", keep="last")
    copies = (
        rows.select("data_id", "copies").explode("copies").group_by("data_id").agg(pl.col("copies").unique().sort())
    )
    whole = (
        best.drop("copies", "outcome_from", *OUTCOME)
        .join(outcomes.select("data_id", "outcome_from", *OUTCOME), on="data_id", how="left")
        .join(copies, on="data_id")
        .sort("ts", "data_id")
    )
    return conform(whole.drop("rank", "later", "fresh"), PATTERNS, TABLE)


def _rank() -> pl.Expr:
    source = pl.col("label_source").fill_null("unknown")
    return (
        pl.when(pl.col("is_true_layering").is_null())
        .then(0)
        .when(source == "manual")
        .then(4)
        .when(source.str.starts_with("price"))
        .then(3)
        .when(source.str.starts_with("automatic"))
        .then(2)
        .otherwise(1)
    )


def _generation(name: str) -> str:
    return next((g for g in reversed(GENERATIONS) if f"_{g}" in name.rsplit("/", 1)[-1]), GENERATIONS[0])


def _stored(root: DataRoot) -> pl.DataFrame:
    frames = [commit.load(root.root / path) for path in sorted(commit.manifest(root, TABLE))]
    return pl.concat(frames) if frames else pl.DataFrame(schema=PATTERNS)


def _publish(root: DataRoot, kept: pl.DataFrame, version: str) -> int:
    written = 0
    before = commit.manifest(root, TABLE)
    for (day, instrument), rows in kept.group_by(utc_date().alias("day"), "instrument", maintain_order=True):
        path = root.partition(TABLE, day.isoformat(), str(instrument))  # type: ignore[attr-defined]
        entry = commit.publish(root, TABLE, path, rows, version)
        written += entry != before.get(entry.path)
    return written


def _reconciled(source: Source, found: dict[str, int]) -> dict[str, Any]:
    """What `statistics.json` states beside what the files hold."""
    try:
        stated = orjson.loads(source.files["data"].read_bytes())
    except orjson.JSONDecodeError as error:
        return {"source": source.name, "fault": f"it is no JSON: {error}"}
    if not isinstance(stated, dict):
        return {"source": source.name, "fault": "it is no JSON object"}
    rows = {name: {"stated": stated.get(name), "found": found[ours]} for name, ours in _STATED.items()}
    return {"source": source.name, **rows, "agrees": all(r["stated"] == r["found"] for r in rows.values())}
