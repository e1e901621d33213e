"""Finds missing files of public archives, downloads them to the captures folder and records the state of each.

It works on one date of one instrument. URLs belong to `ml.core.sources`, downloads to `ml.archives.download`, formats
to `ml.market.files.archives`.

A file is published complete, under its own name, after its checksum was verified. Until then it is in `.incoming`
under a name that no reader accepts. Its state is recorded afterwards: if a run dies in between, the next one hashes
the file and records it.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from ml.archives import download
from ml.archives.download_state import Part
from ml.core.config import Config
from ml.core.errors import StoreError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.core.sources import Source
from ml.core.time import HOUR
from ml.core.versions import ARCHIVES, code_version
from ml.storage import commit, durable
from ml.tables.schemas import SCHEMAS

TABLE = "archive_files"
FETCHED, NOT_PUBLISHED, CHECKSUM = STATES = ("fetched", "not_published", "checksum")
INCOMING = ".incoming"
"""Folder of the captures for files that have not come whole; on their filesystem, so that a rename is one step."""


def update(root: DataRoot, configuration: Config, instrument: Instrument, date: str, now: int) -> pl.DataFrame:
    """Fetch what is missing of a UTC date (YYYY-MM-DD) from the listed sources; returns the date's whole ledger.

    A date, or the month of a source that has one file per month, is asked for once it is over. `now` is ns UTC.

    Raises:
        VenueRefused: a source did not answer, or with an error. Received bytes are kept for the next attempt.
        StoreError: another process has fetched for this instrument for ten minutes, or the disk is full.
    """
    with commit.writer(root, f"{TABLE}.{instrument.id}"), download.Session() as session:
        stored = read_day(root, date, instrument)
        before = {row["source"]: row for row in stored.iter_rows(named=True)}
        for source in configuration.sources:
            if source.venue != instrument.venue or not source.due(date, _day(now)):
                continue
            visit = _Visit(root, configuration.captures, session, source, instrument.symbol, date, now)
            before[source.name] = visit.row(before.get(source.name))
        rows = pl.DataFrame([before[name] for name in sorted(before)], schema=SCHEMAS[TABLE])
        if not rows.equals(stored):
            commit.publish(root, TABLE, root.partition(TABLE, date, instrument.id), rows, code_version(ARCHIVES))
    return rows


def read_day(root: DataRoot, date: str, instrument: Instrument) -> pl.DataFrame:
    """The ledger of a UTC date; no rows if nothing was ever asked."""
    path = root.partition(TABLE, date, instrument.id)
    return commit.read(path).collect() if path.exists() else pl.DataFrame(schema=SCHEMAS[TABLE])


@dataclass(frozen=True)
class _Visit:
    """One file of one source."""

    root: DataRoot
    captures: Path
    session: download.Session
    source: Source
    symbol: str
    date: str
    now: int

    def row(self, before: dict[str, Any] | None) -> dict[str, Any]:
        """What the ledger says of the file from now on."""
        if self._place.exists():
            same = before is not None and before["state"] == FETCHED and before["path"] == self._path
            return before if before and same else self._row(FETCHED, self._place, "found in its place")
        if before and before["state"] != FETCHED and self.now - before["asked_ts"] < self.source.retry_hours * HOUR:
            return before
        return self._fetch()

    @property
    def _path(self) -> str:
        return self.source.path(self.symbol, self.date)

    @property
    def _place(self) -> Path:
        return self.captures / self._path

    @property
    def _url(self) -> str:
        return self.source.address(self.symbol, self.date)

    def _fetch(self) -> dict[str, Any]:
        published = ""
        if self.source.checksum:
            text = download.small(self.session, self._url + self.source.checksum)
            if text is None:
                return self._row(NOT_PUBLISHED, None, f"no {self.source.checksum}")
            published = text.decode(errors="replace").split(" ")[0].strip().lower()
        part = Part(self.captures / INCOMING / f"{sha256(self._url.encode()).hexdigest()[:16]}.part")
        if not download.fetch(self.session, self._url, part):
            return self._row(NOT_PUBLISHED, None, "no such file")
        found = commit.sha256_file(part.path)
        if published and published != found:
            return self._quarantined(part, found, published)
        return self._publish(part, published)

    def _publish(self, part: Part, published: str) -> dict[str, Any]:
        """The checksum goes before its file: readers check it each time."""
        place = self._place
        if published:
            durable.write_text(place.with_name(place.name + ".CHECKSUM"), f"{published}  {place.name}\n")
        try:
            durable.make_folder(place.parent)
            durable.replace(part.path, place)
        except OSError as error:
            raise StoreError(
                f"{place} could not be moved to its final path: {error}. Check that the folder is writable."
            ) from error
        part.forget()
        return self._row(FETCHED, place, "")

    def _quarantined(self, part: Part, found: str, published: str) -> dict[str, Any]:
        home = self.root.quarantine / "archives" / f"{found[:16]}-{self._place.name}"
        durable.make_folder(home.parent)
        row = self._row(CHECKSUM, part.path, f"its publisher's sha256 begins with {published[:16]}")
        shutil.move(part.path, home)
        durable.sync_folder(home.parent)
        part.forget()
        return row

    def _row(self, state: str, file: Path | None, detail: str) -> dict[str, Any]:
        return {
            "source": self.source.name,
            "url": self._url,
            "path": self._path,
            "state": state,
            "asked_ts": self.now,
            "bytes": None if file is None else file.stat().st_size,
            "sha256": None if file is None else commit.sha256_file(file),
            "detail": detail,
        }


def _day(ts: int) -> str:
    return datetime.fromtimestamp(ts // 10**9, UTC).date().isoformat()
