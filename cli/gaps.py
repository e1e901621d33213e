"""`lobforge gaps`: how much of each day the book and the trades were known, and every gap with its reason.

Here: the command and its two outputs, tables for people and JSON for programs.
Not here: the ledger (`ml.market.gaps`).
"""

from datetime import UTC, datetime
from typing import Annotated

import orjson
import polars as pl
import typer

from cli.console import show_table
from cli.options import AsJson, FirstDate, LastDate
from ml.core import settings
from ml.core.paths import DataRoot
from ml.market import gaps as ledger


def main(
    since: FirstDate = None,
    until: LastDate = None,
    instrument: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this one, for example binance-usdm.BTCUSDT.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show the share of each day in which the book was known, and every gap with its reason.

    Returns 0, with gaps or without; 2 if nothing is stored of the instrument.
    """
    first, last = (None if day is None else day.isoformat() for day in (since, until))
    root = DataRoot(settings.load().data_root)
    validity = ledger.stored(root, instrument)
    of_trades = ledger.of_trades(root, instrument)
    captured = ledger.coverage(of_trades).select("date", "instrument", trades_known_seconds="known_seconds")
    known = ledger.coverage(validity).join(captured, on=["date", "instrument"], how="left", maintain_order="left")
    days = known.filter(
        pl.lit(True) if first is None else pl.col("date") >= first,
        pl.lit(True) if last is None else pl.col("date") <= last,
    )
    gaps = ledger.within(ledger.gaps(validity), first, last)
    trades = ledger.within(ledger.gaps(of_trades), first, last)
    beside = ledger.within(ledger.beside(root, instrument), first, last)
    if as_json:
        tables = {"days": days, "gaps": gaps, "trades": trades, "beside": beside}
        document = {name: rows.to_dicts() for name, rows in tables.items()}
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(days, gaps, trades, beside)
    return 0


def _show(days: pl.DataFrame, gaps: pl.DataFrame, trades: pl.DataFrame, beside: pl.DataFrame) -> None:
    rows = [
        [day, instrument, f"{known:.1f}", f"{share:.2%}", str(count), "-" if captured is None else f"{captured:.1f}"]
        for day, instrument, known, share, count, captured in days.iter_rows()
    ]
    show_table("known", ["date", "instrument", "known s", "of the day", "gaps", "trades known s"], rows)
    _show_gaps("gaps", gaps)
    if trades.height:
        _show_gaps("trades not captured", trades)
    reasons = {*gaps["reason"], *trades["reason"]}
    for reason in sorted(reasons & set(ledger.REMEDIES)):
        print(f"{reason}: {ledger.REMEDIES[reason]}.")
    if beside.height:
        lost = [[name, conn, _time(start), _time(end), reason] for name, conn, start, end, reason in beside.iter_rows()]
        show_table("lost beside the books", ["instrument", "connection", "start", "end", "reason"], lost)


def _show_gaps(title: str, gaps: pl.DataFrame) -> None:
    rows = [
        [name, _time(start), _time(end), "" if seconds is None else f"{seconds:.3f}", _id(last), _id(next_), reason]
        for name, start, end, seconds, last, next_, reason in gaps.iter_rows()
    ]
    show_table(title, ["instrument", "start", "end", "seconds", "from id", "to id", "reason"], rows)


def _id(number: int | None) -> str:
    return "" if number is None else str(number)


def _time(ts: int | None) -> str:
    return "still unknown" if ts is None else f"{datetime.fromtimestamp(ts / 1e9, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
