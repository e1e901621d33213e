"""`lobforge candles --venue VENUE --symbols A,B --from DATE`: the candles that a venue serves, and how ours compare.

Here: the verb: it fills what is missing, then sets the stored candles from prints beside the venue's.
Not here: what is missing and what an answer says (`ml.candles.rest`), the comparison (`ml.candles.reconcile`).
"""

import argparse
import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from time import time_ns
from typing import Any

import orjson

from cli.console import fail, show_table
from ml.candles import rest
from ml.candles.from_trades import TIMEFRAMES, resample
from ml.candles.history import History
from ml.candles.klines import CARRIED_OPEN
from ml.candles.reconcile import reconcile
from ml.capture.plans import PLANS
from ml.core import config, settings
from ml.core.errors import CaptureError, LobforgeError, SettingsError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.storage import commit

COUNTED = ("fetched", "stored", "pending", "not_published", "quarantined")
VERDICTS = ("agree", "quiet", "differs", "not_captured", "not_published", "neither")


def main(argv: list[str]) -> int:
    """Return 0, 1 if something was quarantined, was refused or differs, 2 if nothing could be asked."""
    parser = argparse.ArgumentParser(prog="lobforge candles", description=__doc__)
    parser.add_argument("--venue", required=True, help=f"one of {', '.join(PLANS)}")
    parser.add_argument("--symbols", required=True, help="the venue's own names, separated by commas")
    parser.add_argument("--timeframes", default="1m", help=f"of {', '.join(TIMEFRAMES)}, separated by commas")
    parser.add_argument("--from", required=True, dest="first", type=date.fromisoformat, help="first UTC date")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, help="last UTC date; today if left out")
    parser.add_argument("--again", action="store_true", help="ask once more for what was not published or quarantined")
    parser.add_argument("--rest-url", help="another REST base address, for a gateway or an emulator")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    try:
        root = DataRoot(settings.load().data_root)
        report = asyncio.run(Backfill(root, options).run())
    except LobforgeError as error:
        return fail(error, options.json)
    if options.json:
        print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(report)
    nothing = report["refused"] and not any(row["fetched"] for row in report["candles"])
    wrong = report["refused"] or report["quarantined"] or any(row["differs"] for row in report["compared"])
    return 2 if nothing else 1 if wrong else 0


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

    def __init__(self, root: DataRoot, options: argparse.Namespace) -> None:
        self.root = root
        self.options = options
        self.history = History(options.venue, options.rest_url)
        self.timeframes = _names(options.timeframes)
        self.listed = config.load(root)
        self.instruments = [self.listed.instrument(f"{options.venue}.{name}") for name in _names(options.symbols)]
        self.days = _days(options.first, options.last or datetime.now(UTC).date())
        self.told = {
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
            instrument = self.listed.instrument(instrument.id, day)
            try:
                for timeframe in self.timeframes:
                    await self._fill(instrument, day, timeframe)
            except CaptureError as error:
                self.refused.append({"instrument": instrument.id, "date": day, "message": str(error)})
                break
            self._compare(instrument, day)

    async def _fill(self, instrument: Instrument, day: str, timeframe: str) -> None:
        ask = partial(self.history.candles, instrument.symbol)
        told = self.told[instrument.id, timeframe]
        done = await rest.update(self.root, ask, instrument, day, timeframe, time_ns(), again=self.options.again)
        told.got.update({name: getattr(done, name) for name in COUNTED[:-1]}, quarantined=len(done.quarantined))
        self.quarantined += [told.named | entry for entry in done.quarantined]

    def _compare(self, instrument: Instrument, day: str) -> None:
        """Set the candles from prints, where they are stored, beside the venue's."""
        path = self.root.partition("candles", day, instrument.id)
        if not path.exists():
            return
        for timeframe, ours in resample(commit.read(path).collect(), self.timeframes).items():
            served = rest.read_day(self.root, day, instrument, timeframe)
            told = self.told[instrument.id, timeframe]
            carried = instrument.venue in CARRIED_OPEN
            found = reconcile(ours, served.drop("timeframe"), carried)
            told.compared.update(found.counts)
            differing = found.differences.filter(verdict="differs")
            if told.first_difference is None and differing.height:
                told.first_difference = differing.drop("verdict").row(0, named=True)

    def _report(self) -> dict[str, Any]:
        return {
            "venue": self.options.venue,
            "dates": self.days,
            "requests": self.history.requests,
            "waited_seconds": round(self.history.waited, 3),
            "candles": [told.named | {n: told.got[n] for n in COUNTED} for told in self.told.values()],
            "compared": [told.compared_row() for told in self.told.values() if told.compared],
            "quarantined": self.quarantined,
            "refused": self.refused,
        }


def _days(first: date, last: date) -> list[str]:
    if last < first:
        raise SettingsError(f"--to {last} lies before --from {first}. Exchange the two.")
    return [(first + timedelta(n)).isoformat() for n in range((last - first).days + 1)]


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _show(report: dict[str, Any]) -> None:
    for part, title, names in (
        ("candles", "candles of the venue", COUNTED),
        ("compared", "candles from prints beside the venue's", VERDICTS),
    ):
        rows = [[f"{r['instrument']} {r['timeframe']}", *(str(r[n]) for n in names)] for r in report[part]]
        if rows:
            show_table(title, ["candles", *(name.replace("_", " ") for name in names)], rows)
    for row in report["compared"]:
        if row["differs"]:
            where = f"{row['instrument']} {row['timeframe']} first at {_time(row['first_difference']['ts'])}"
            print(
                "differs: {}: {column} {from_trades} from prints, {from_venue}".format(where, **row["first_difference"])
            )
    for entry in report["quarantined"]:
        print("quarantined: {instrument} {timeframe} at {}: {reason} ({detail})".format(_time(entry["ts"]), **entry))
    for entry in report["refused"]:
        print(f"refused: {entry['instrument']} from {entry['date']} on: {entry['message']}")


def _time(ts: int) -> str:
    return datetime.fromtimestamp(ts // 10**9, UTC).strftime("%Y-%m-%d %H:%M")
