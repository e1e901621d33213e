"""`lobforge fetch`: files of public archives that are missing among the captures.

Here: the command: dates, sources and instruments of one call, and what it tells.
Not here: what is missing and how it comes (`ml.archives.fetch`), where archives lie (`lobforge.toml`).
"""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from time import time_ns
from typing import Annotated, Any

import orjson
import typer

from cli.console import show_table
from cli.options import AsJson, FirstDate, LastDate
from ml.archives import fetch
from ml.core import config, settings
from ml.core.config import Config
from ml.core.errors import SettingsError, VenueRefused
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot

COUNTED = ("fetched", "stored", "not_published", "checksum", "pending")
"""Fetched now, fetched before, not published, quarantined for its checksum, date or month not over."""


def main(
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="A source of lobforge.toml; all of them if left out.")
    ] = None,
    first: FirstDate = None,
    last: LastDate = None,
    as_json: AsJson = False,
) -> int:
    """Fetch the files of public archives that are missing.

    The dates that lobforge.toml lists are the default, up to today. Returns 0, 1 if something was quarantined or
    refused, 2 if nothing could be requested.
    """
    root = DataRoot(settings.load().data_root)
    configuration = _chosen(config.load(root), source)
    report = _run(root, configuration, _days(configuration, first, last))
    if as_json:
        print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(report)
    nothing = report["refused"] and not any(row["fetched"] for row in report["files"])
    return 2 if nothing else 1 if report["refused"] or report["quarantined"] else 0


def _run(root: DataRoot, configuration: Config, days: list[str]) -> dict[str, Any]:
    """Every missing date of every instrument, oldest first; one that a source refuses is left out from there on."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    report: dict[str, Any] = {"files": [], "not_published": [], "quarantined": [], "refused": []}
    for source in configuration.sources:
        for instrument in (
            one for one in map(configuration.instrument, configuration.ids) if one.venue == source.venue
        ):
            states = counts[source.name, instrument.id] = Counter()
            _instrument(root, replace(configuration, sources=(source,)), instrument, days, states, report)
    for (source, instrument), states in counts.items():
        named = {"source": source, "instrument": instrument}
        report["files"].append(named | {name: states[name] for name in COUNTED})
    return report


def _instrument(
    root: DataRoot, only: Config, instrument: Instrument, days: list[str], states: Counter[str], report: dict[str, Any]
) -> None:
    named = {"source": only.sources[0].name, "instrument": instrument.id}
    absent = list[str]()
    for day in days:
        now = time_ns()
        try:
            files = fetch.update(root, only, instrument, day, now)
        except VenueRefused as error:
            report["refused"].append(named | {"date": day, "message": str(error)})
            break
        (row,) = files.filter(source=named["source"]).to_dicts() or [None]
        states[_outcome(row, now)] += 1
        if row and row["state"] == fetch.NOT_PUBLISHED:
            absent.append(day)
        if row and row["state"] == fetch.CHECKSUM:
            report["quarantined"].append(named | {"date": day, "url": row["url"], "detail": row["detail"]})
    report["not_published"] += [named | {"first": first, "last": last} for first, last in _runs(absent)]


def _outcome(row: dict[str, Any] | None, now: int) -> str:
    if row is None:
        return "pending"
    return "stored" if row["state"] == fetch.FETCHED and row["asked_ts"] != now else str(row["state"])


def _runs(days: list[str]) -> list[tuple[str, str]]:
    """First and last of each run of neighbouring dates."""
    ordinals = [(number, date.fromisoformat(day).toordinal() - number, day) for number, day in enumerate(days)]
    groups = [[day for *_, day in group] for _, group in groupby(ordinals, key=lambda item: item[1])]
    return [(group[0], group[-1]) for group in groups]


def _chosen(configuration: Config, name: str | None) -> Config:
    chosen = tuple(source for source in configuration.sources if name in (None, source.name))
    if not chosen:
        known = ", ".join(source.name for source in configuration.sources) or "none"
        raise SettingsError(f"lobforge.toml has no source {name or 'at all'}; there are {known}. Add a [[source]].")
    return replace(configuration, sources=chosen)


def _days(configuration: Config, first: date | None, last: date | None) -> list[str]:
    first = first or configuration.first_date
    last = last or configuration.last_date or datetime.now(UTC).date()
    if last < first:
        raise SettingsError(f"The last date {last} lies before the first {first}. Exchange the two.")
    return [(first + timedelta(n)).isoformat() for n in range((last - first).days + 1)]


def _show(report: dict[str, Any]) -> None:
    rows = [[f"{r['source']} {r['instrument']}", *(str(r[name]) for name in COUNTED)] for r in report["files"]]
    show_table("files of archives", ["source", *(name.replace("_", " ") for name in COUNTED)], rows)
    for run in report["not_published"]:
        print("not published: {source} {instrument} {first} to {last}".format(**run))
    for entry in report["quarantined"]:
        print("quarantined: {url}: {detail}".format(**entry))
    for entry in report["refused"]:
        print("refused: {source} {instrument} from {date} on: {message}".format(**entry))
