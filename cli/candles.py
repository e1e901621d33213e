"""`lobforge candles --venue VENUE --symbols A,B --from DATE`: the candles that a venue serves, and how ours compare.

Here: the command: it fills what is missing, then sets the stored candles from trades beside the venue's.
Not here: what is missing and what an answer says (`ml.candles.rest`), the comparison (`ml.candles.reconcile`).
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from time import time_ns
from typing import Annotated, Any

import orjson
import typer

from cli.console import show_table
from cli.options import AsJson, read_date, split_names
from ml.candles import rest
from ml.candles.from_trades import TIMEFRAMES, resample
from ml.candles.history import History
from ml.candles.klines import CARRIED_OPEN
from ml.candles.reconcile import reconcile
from ml.capture.plans import PLANS
from ml.core import config, settings
from ml.core.errors import CaptureError, SettingsError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.storage import commit

COUNTED = ("fetched", "stored", "pending", "not_published", "quarantined")
VERDICTS = ("agree", "quiet", "differs", "not_captured", "not_published", "neither")


def main(
    venue: Annotated[str, typer.Option(help=f"One of {', '.join(PLANS)}.")],
    symbols: Annotated[str, typer.Option(metavar="A,B", help="The venue's own names, separated by commas.")],
    first: Annotated[date, typer.Option("--from", metavar="DATE", parser=read_date, help="First UTC date.")],
    last: Annotated[
        date | None, typer.Option("--to", metavar="DATE", parser=read_date, help="Last UTC date; today if left out.")
    ] = None,
    timeframes: Annotated[str, typer.Option(help=f"Of {', '.join(TIMEFRAMES)}, separated by commas.")] = "1m",
    again: Annotated[
        bool, typer.Option("--again", help="Request once more what was not published or quarantined.")
    ] = False,
    rest_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Another REST base address, for a gateway or an emulator.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Fetch the venue's candles that are missing, and compare ours from trades with them.

    Returns 0, 1 if something was quarantined, was refused or differs, 2 if nothing could be requested.
    """
    options = Options(
        venue=venue,
        symbols=split_names(symbols),
        timeframes=split_names(timeframes),
        days=_days(first, last or datetime.now(UTC).date()),
        again=again,
        rest_url=rest_url,
    )
    report = asyncio.run(Backfill(DataRoot(settings.load().data_root), options).run())
    if as_json:
        print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(report)
    nothing = report["refused"] and not any(row["fetched"] for row in report["candles"])
    wrong = report["refused"] or report["quarantined"] or any(row["differs"] for row in report["compared"])
    return 2 if nothing else 1 if wrong else 0


@dataclass(frozen=True)
class Options:
    """What one call is about: days as ISO dates, oldest first; `again` requests what was not published once more."""

    venue: str
    symbols: list[str]
    timeframes: list[str]
    days: list[str]
    again: bool = False
    rest_url: str | None = None


@dataclass
class _Told:
    """What there is to tell of one instrument and timeframe."""

    named: dict[str, str]
    got: Counter[str] = field(default_factory=Counter[str])
    compared: Counter[str] = field(default_factory=Counter[str])
    first_difference: dict[str, Any] | None = None

    def compared_row(self) -> dict[str, Any]:
        return self.named | {n: self.compared[n] for n in VERDICTS} | {"first_difference": self.first_difference}


class Backfill:
    """The days, instruments and timeframes of one call, oldest day first."""

    def __init__(self, root: DataRoot, options: Options) -> None:
        self.root = root
        self.options = options
        self.history = History(options.venue, options.rest_url)
        self.timeframes = options.timeframes
        self.configuration = config.load(root)
        self.instruments = [self.configuration.instrument(f"{options.venue}.{name}") for name in options.symbols]
        self.days = options.days
        self.results = {
            (i.id, name): _Told({"instrument": i.id, "timeframe": name})
            for i in self.instruments
            for name in self.timeframes
        }
        self.quarantined: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []

    async def run(self) -> dict[str, Any]:
        """Fill and compare all; an instrument that the venue refuses is left out from there on."""
        try:
            for instrument in self.instruments:
                self.history.know(instrument.symbol, self.timeframes)
            for instrument in self.instruments:
                await self._instrument(instrument)
        finally:
            await self.history.close()
        return self._report()

    async def _instrument(self, instrument: Instrument) -> None:
        for day in self.days:
            instrument = self.configuration.instrument(instrument.id, day)
            try:
                for timeframe in self.timeframes:
                    await self._fill(instrument, day, timeframe)
            except CaptureError as error:
                self.refused.append({"instrument": instrument.id, "date": day, "message": str(error)})
                break
            self._compare(instrument, day)

    async def _fill(self, instrument: Instrument, day: str, timeframe: str) -> None:
        ask = partial(self.history.candles, instrument.symbol)
        results = self.results[instrument.id, timeframe]
        done = await rest.update(self.root, ask, instrument, day, timeframe, time_ns(), again=self.options.again)
        results.got.update({name: getattr(done, name) for name in COUNTED[:-1]}, quarantined=len(done.quarantined))
        self.quarantined += [results.named | entry for entry in done.quarantined]

    def _compare(self, instrument: Instrument, day: str) -> None:
        """Set the candles from trades, where they are stored, beside the venue's."""
        path = self.root.partition("candles", day, instrument.id)
        if not path.exists():
            return
        for timeframe, ours in resample(commit.read(path).collect(), self.timeframes).items():
            served = rest.read_day(self.root, day, instrument, timeframe)
            results = self.results[instrument.id, timeframe]
            carried = instrument.venue in CARRIED_OPEN
            found = reconcile(ours, served.drop("timeframe"), carried)
            results.compared.update(found.counts)
            differing = found.differences.filter(verdict="differs")
            if results.first_difference is None and differing.height:
                results.first_difference = differing.drop("verdict").row(0, named=True)

    def _report(self) -> dict[str, Any]:
        return {
            "venue": self.options.venue,
            "dates": self.days,
            "requests": self.history.requests,
            "waited_seconds": round(self.history.waited, 3),
            "candles": [results.named | {n: results.got[n] for n in COUNTED} for results in self.results.values()],
            "compared": [results.compared_row() for results in self.results.values() if results.compared],
            "quarantined": self.quarantined,
            "refused": self.refused,
        }


def _days(first: date, last: date) -> list[str]:
    if last < first:
        raise SettingsError(f"--to {last} lies before --from {first}. Exchange the two.")
    return [(first + timedelta(n)).isoformat() for n in range((last - first).days + 1)]


def _show(report: dict[str, Any]) -> None:
    for part, title, names in (
        ("candles", "candles of the venue", COUNTED),
        ("compared", "candles from trades beside the venue's", VERDICTS),
    ):
        rows = [[f"{r['instrument']} {r['timeframe']}", *(str(r[n]) for n in names)] for r in report[part]]
        if rows:
            show_table(title, ["candles", *(name.replace("_", " ") for name in names)], rows)
    for row in report["compared"]:
        if row["differs"]:
            where = f"{row['instrument']} {row['timeframe']} first at {_time(row['first_difference']['ts'])}"
            print(
                "differs: {}: {column} {from_trades} from trades, {from_venue}".format(where, **row["first_difference"])
            )
    for entry in report["quarantined"]:
        print("quarantined: {instrument} {timeframe} at {}: {reason} ({detail})".format(_time(entry["ts"]), **entry))
    for entry in report["refused"]:
        print(f"refused: {entry['instrument']} from {entry['date']} on: {entry['message']}")


def _time(ts: int) -> str:
    return datetime.fromtimestamp(ts // 10**9, UTC).strftime("%Y-%m-%d %H:%M")
