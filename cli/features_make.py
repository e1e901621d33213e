"""`lobforge features make FILE...`: features and labels directly from captures, without a data root.

Here: the command: which instruments and days, the files it writes, what it tells.
Not here: how the tables are made (`ml.learning.from_captures`); rules, canaries and a record of what was stored are
the assets' part.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import polars as pl
import typer

from cli.options import AsJson, Files, Instruments
from ml.core import config, settings
from ml.core.config import Config, LabelPlan
from ml.core.errors import CaptureError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.market.files import captures
from ml.storage import durable, parquet
from ml.storage.parquet import Parts

if TYPE_CHECKING:
    from ml.market.files.capture_sequence import CaptureSequence


def main(
    files: Files,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the files that are written.")],
    instrument: Instruments = None,
    date: Annotated[list[str] | None, typer.Option(metavar="DATE", help="Only this UTC date; may be repeated.")] = None,
    as_json: AsJson = False,
) -> int:
    """Make features and labels directly from capture files, without a data root.

    The bytes are those that the assets would store. With `--json` each line is one object. Returns 0, 1 if something
    was quarantined, 2 if nothing could be made.
    """
    quarantined = 0
    for report in _made(captures.expand(files), to, instrument or [], date or []):
        quarantined += sum(report["quarantined"].values())
        print(orjson.dumps(report).decode() if as_json else _line(report), flush=True)
    return 1 if quarantined else 0


def _made(paths: list[Path], to: Path, instruments: list[str], dates: list[str]) -> Iterator[dict[str, Any]]:
    """Make and write one day after the other; what each came to, after what each file holds that is no frame."""
    from ml.learning import from_captures  # compiled code is loaded only when there is work for it
    from ml.market.files import index
    from ml.market.files.capture_sequence import link

    chain = link(paths, lambda path: index.scan(path)[0])
    configuration = _configuration()
    for file, lines in chain.quarantined().items():
        yield {"file": file, "quarantined": lines}
    for name in _chosen("--instrument", instruments, chain.instruments()):
        of_date = _of_date(configuration, chain, name)
        for date in _chosen("--date", dates, from_captures.dates(chain, name)):
            made = from_captures.make(
                chain, of_date(date), date, configuration.labels if configuration else LabelPlan()
            )
            tables = {"features": made.features, "future_labels": made.labels}
            files = [_written(to / f"{table}_{name}_{date}.parquet", rows) for table, rows in tables.items()]
            yield {
                "instrument": name,
                "date": date,
                "rows": made.features.height,
                "files": files,
                "quarantined": made.refused,
            }


def _configuration() -> Config | None:
    """The data root's configuration; None without one."""
    root = DataRoot(settings.load().data_root)
    return config.load(root) if root.config.exists() else None


def _of_date(configuration: Config | None, chain: "CaptureSequence", name: str) -> Callable[[str], Instrument]:
    """What an instrument is on a date: as listed, else as inferred."""
    from ml.market.days.infer_instrument import infer_instrument

    if configuration is not None and name in configuration.ids:
        return partial(configuration.instrument, name)
    inferred = infer_instrument(chain, name)
    return lambda _: inferred


def _chosen(option: str, wanted: list[str], there: list[str]) -> list[str]:
    missing = sorted(set(wanted) - set(there))
    if missing:
        held = ", ".join(there) or "none"
        raise CaptureError(f"{option} {missing[0]} is not in the captures, which hold {held}. Name one of these.")
    return [one for one in there if not wanted or one in wanted]


def _written(path: Path, rows: pl.DataFrame) -> str:
    """Write a file in one step, with the bytes that the asset would store."""
    durable.make_folder(path.parent)
    staged = path.with_name(f".{path.name}")
    try:
        with staged.open("wb") as sink:
            parquet.write(Parts(rows.schema, [rows]), sink)
            durable.sync(sink)
        durable.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)
    return str(path)


def _line(report: dict[str, Any]) -> str:
    refused = ", ".join(f"{count} x {reason}" for reason, count in report["quarantined"].items())
    if "file" in report:
        return f"{report['file']}: quarantined {refused}"
    line = f"{report['instrument']} {report['date']}: {report['rows']} rows in {' and '.join(report['files'])}"
    return f"{line}; quarantined {refused}" if refused else line
