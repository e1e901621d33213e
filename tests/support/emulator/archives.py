"""How publishers write what the emulated market did: Binance Vision, Tardis, exploded streams, Bybit and GDAX.

Here: one function per format. Each writes the changes of one file, in a folder as the publisher names it.
Not here: what a format means (`ml.market.files.archives`), the venues' own streams (`protocols`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.support.emulator.market import Change, Market
from tests.support.emulator.protocols import PROTOCOLS, price, size

DELAY_MS = 5
"""How long after a change the collectors of archives receive it, where they keep that time."""
TARDIS = {
    "binance-spot": "binance",
    "binance-usdm": "binance-futures",
    "binance-coinm": "binance-delivery",
    "bybit-linear": "bybit",
    "bybit-spot": "bybit-spot",
    "okx-swap": "okex-swap",
    "okx-spot": "okex",
    "coinbase-spot": "coinbase",
}
FOLDERS = {"binance-spot": "spot", "binance-usdm": "um", "binance-coinm": "cm"}

GDAX_RAW = (
    "_id,asks,bids,changes,channels,maker_order_id,message,price,product_id,reason,sequence,side,size,"
    "taker_order_id,time,trade_id,type"
)


@dataclass(frozen=True)
class Part:
    """Some changes of a market in a row, from number `first` up to `behind`, as one file of a date holds them."""

    venue: str
    market: Market
    first: int
    behind: int
    date: str

    @property
    def changes(self) -> list[Change]:
        """In order."""
        return self.market.history[self.first : self.behind]

    @property
    def book(self) -> dict[int, dict[int, int]]:
        """What they change."""
        return self.market.book_after(self.first)

    def trades(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Id, ms, side, price and size of each trade."""
        number = 0
        for k, change in enumerate(self.market.history[: self.behind]):
            if change.trade:
                number += 1
                if k >= self.first:
                    yield number, change.ts_ms, *change.trade


Write = Callable[[Path, Part], None]


def formats(venue: str) -> dict[str, tuple[bool, Write]]:
    """What is published of a venue: name -> whether a file holds a whole date, and how it is written."""
    found: dict[str, tuple[bool, Write]] = {
        "tardis book": (False, tardis_book),
        "tardis trades": (False, tardis_trades),
        "tardis snapshots": (False, tardis_snapshots),
    }
    if venue in FOLDERS:
        found["vision trades"] = (True, partial(vision, aggregated=False))
        found["vision aggTrades"] = (True, partial(vision, aggregated=True))
        found["exploded depth"] = (False, exploded_depth)
        found["exploded trades"] = (False, exploded_trades)
    if venue.startswith("bybit"):
        found["bybit book"] = (False, bybit_book)
        found["bybit trades"] = (True, bybit_spot_trades if venue == "bybit-spot" else bybit_trades)
    if venue == "coinbase-spot":
        found["gdax raw"] = (False, gdax_raw)
        found["gdax updates"] = (False, gdax_updates)
    return found


def vision(folder: Path, part: Part, *, aggregated: bool) -> None:
    """Binance Vision, of each trade or aggregated; its times on spot are us since 2025."""
    unit = 1000 if part.venue == "binance-spot" else 1
    best = ",true" if part.venue == "binance-spot" else ""
    kind = "aggTrades" if aggregated else "trades"
    head = {
        "aggTrades": "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
        "trades": "id,price,qty,quote_qty,time,is_buyer_maker",
    }[kind] + (",is_best_match" if best else "")
    lines = [head]
    for number, ms, side, ticks, lots in part.trades():
        told = f"{number},{price(ticks)},{size(lots)}"
        told += f",{number},{number}" if aggregated else ",1.0"
        lines.append(f"{told},{ms * unit},{str(side < 0).lower()}{best}")
    _written(folder / FOLDERS[part.venue] / f"{part.market.symbol}-{kind}-{part.date}.csv", lines)


def _tardis(part: Part, ms: int) -> str:
    """The cells that all of its rows begin with."""
    return f"{TARDIS[part.venue]},{part.market.symbol},{ms * 1000},{(ms + DELAY_MS) * 1000}"


def tardis_book(folder: Path, part: Part) -> None:
    """`incremental_book_L2`: a snapshot, then the changes."""
    lines = ["exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"]
    names = {1: "bid", -1: "ask"}
    opened = _tardis(part, part.changes[0].ts_ms - DELAY_MS)
    for side, levels in part.book.items():
        lines += [f"{opened},true,{names[side]},{price(ticks)},{size(lots)}" for ticks, lots in levels.items()]
    for change in part.changes:
        begun = _tardis(part, change.ts_ms)
        lines += [f"{begun},false,{names[side]},{price(ticks)},{size(lots)}" for side, ticks, lots in change.levels]
    _written(folder / "incremental_book_L2.csv", lines)


def tardis_trades(folder: Path, part: Part) -> None:
    """`trades`."""
    lines = ["exchange,symbol,timestamp,local_timestamp,id,side,price,amount"]
    for number, ms, side, ticks, lots in part.trades():
        lines.append(f"{_tardis(part, ms)},{number},{'buy' if side > 0 else 'sell'},{price(ticks)},{size(lots)}")
    _written(folder / "trades.csv", lines)


def tardis_snapshots(folder: Path, part: Part) -> None:
    """`book_snapshot_5`: the best levels after each change."""
    cells = [f"{side}[{k}].{what}" for k in range(5) for side in ("asks", "bids") for what in ("price", "amount")]
    lines = ["exchange,symbol,timestamp,local_timestamp," + ",".join(cells)]
    for k, change in enumerate(part.changes, part.first + 1):
        book = part.market.book_after(k)
        bids = sorted(book[1].items(), reverse=True)
        asks = sorted(book[-1].items())
        row = [f"{price(p)},{size(q)}" for pair in zip(asks[:5], bids[:5], strict=True) for p, q in pair]
        lines.append(",".join([_tardis(part, change.ts_ms), *row]))
    _written(folder / "book_snapshot_5.csv", lines)


def exploded_depth(folder: Path, part: Part) -> None:
    """One row per level of a diff; spot has neither the transaction's time nor the id before."""
    spot = part.venue == "binance-spot"
    symbol = part.market.symbol
    lines = [
        "TimestampOfReceive,Stream,EventType,EventTime,"
        + ("" if spot else "TransactionTime,")
        + "Symbol,FirstUpdateId,FinalUpdateId,"
        + ("" if spot else "FinalUpdateIdInLastStream,")
        + "IsAsk,Price,Quantity"
    ]
    for change in part.changes:
        ms = change.ts_ms
        begun = f"{ms + DELAY_MS},{symbol.lower()}@depth,depthUpdate,{ms + 1},"
        begun += ("" if spot else f"{ms},") + f"{symbol},{change.first_id},{change.last_id},"
        begun += "" if spot else f"{change.prev_id},"
        lines += [f"{begun}{int(side < 0)},{price(ticks)},{size(lots)}" for side, ticks, lots in change.levels]
    _written(folder / "difference_depth_stream.csv", lines)


def exploded_trades(folder: Path, part: Part) -> None:
    """One row a trade; on futures with the type of the trade."""
    spot = part.venue == "binance-spot"
    symbol = part.market.symbol
    head = "TimestampOfReceive,Stream,EventType,EventTime,TransactionTime,Symbol,TradeId,Price,Quantity"
    lines = [f"{head},IsBuyerMarketMaker,{'MUnknownParameter' if spot else 'XUnknownParameter'}"]
    for number, ms, side, ticks, lots in part.trades():
        begun = f"{ms + DELAY_MS},{symbol.lower()}@trade,trade,{ms},{ms},{symbol},{number}"
        lines.append(f"{begun},{price(ticks)},{size(lots)},{int(side < 0)},{'True' if spot else 'MARKET'}")
    _written(folder / "trade_stream.csv", lines)


def bybit_book(folder: Path, part: Part) -> None:
    """Lines of the stream: 500 levels of contracts, 200 of spot."""
    depth = 200 if part.venue == "bybit-spot" else 500
    market = Market(part.market.symbol, 0)
    market.sides = part.book
    market.update = part.changes[0].prev_id
    market.opened_ms = part.changes[0].ts_ms
    protocol = PROTOCOLS[part.venue](part.venue)
    texts = protocol.opening(market)
    for change in part.changes:
        texts.append(protocol.frames(part.market, change)[0])
    lines = [text.replace("orderbook.200", f"orderbook.{depth}") for text in texts]
    name = f"{part.date}_{part.market.symbol}_ob{depth}.data"
    _written(folder / part.venue.partition("-")[2] / part.market.symbol / name, lines)


def bybit_trades(folder: Path, part: Part) -> None:
    """Of contracts: seconds with a fraction, the newest first."""
    lines = ["timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"]
    for number, ms, side, ticks, lots in reversed(list(part.trades())):
        cells = [f"{ms // 1000}.{ms % 1000:03}", part.market.symbol, "Buy" if side > 0 else "Sell"]
        cells += [size(lots), price(ticks), "PlusTick", f"{part.market.symbol}-{number}", "1", "1", "1"]
        lines.append(",".join(cells))
    _written(folder / f"{part.market.symbol}{part.date}.csv", lines)


def bybit_spot_trades(folder: Path, part: Part) -> None:
    """Ids count from 1 in each file."""
    lines = ["id,timestamp,price,volume,side"]
    for number, (_, ms, side, ticks, lots) in enumerate(part.trades(), 1):
        lines.append(f"{number},{ms},{price(ticks)},{size(lots)},{'buy' if side > 0 else 'sell'}")
    _written(folder / f"{part.market.symbol}_{part.date}.csv", lines)


def gdax_updates(folder: Path, part: Part) -> None:
    """A snapshot in two files, which holds for the first of the updates of a third."""
    name = f"{part.market.symbol}_{part.date.replace('-', '')}"
    for side, told, file in ((1, "buy", "bids"), (-1, "sell", "asks")):
        levels = [f"{told},{price(ticks)},{size(lots)}" for ticks, lots in part.book[side].items()]
        _written(folder / f"{name}_snapshot_{file}.csv", ["side,price,size", *levels])
    lines = ["side,price,size,time"]
    for change in part.changes:
        for side, ticks, lots in change.levels:
            lines.append(f"{'buy' if side > 0 else 'sell'},{price(ticks)},{size(lots)},{_iso(change.ts_ms)}")
    _written(folder / f"{name}_l2update.csv", lines)


def gdax_raw(folder: Path, part: Part) -> None:
    """The stream's messages, their lists as Python writes them; a match names the side of the maker."""
    names = GDAX_RAW.split(",")

    def row(ms: int, **cells: str) -> str:
        told = {"_id": f"{ms // 1000:08x}{ms % 1000:016x}", "product_id": part.market.symbol} | cells
        return ",".join(f'"{told[name]}"' if name in told else "" for name in names)

    sides = ((1, "bids"), (-1, "asks"))
    whole = {name: str([[price(p), size(q)] for p, q in part.book[side].items()]) for side, name in sides}
    lines = [GDAX_RAW, row(part.changes[0].ts_ms, type="snapshot", **whole)]
    trades = {ms: (number, side, ticks, lots) for number, ms, side, ticks, lots in part.trades()}
    for change in part.changes:
        ms = change.ts_ms
        changed = [["buy" if side > 0 else "sell", price(p), size(q)] for side, p, q in change.levels]
        lines.append(row(ms, type="l2update", changes=str(changed), time=_iso(ms)))
        if ms in trades:
            number, side, ticks, lots = trades[ms]
            maker = "sell" if side > 0 else "buy"
            told = {"trade_id": f"{number}.0", "side": maker, "price": price(ticks), "size": size(lots)}
            lines.append(row(ms, type="match", time=_iso(ms), **told))
    _written(folder / f"{part.market.symbol}_{part.date.replace('-', '')}_raw_ws.csv", lines)


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _written(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))
