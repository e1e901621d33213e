"""A venue's REST candle as it sends it, and what it says in whole units.

Here: where each venue's row has what, a row's stamp and its values.
Add here: a venue's row layout, with the page that describes it.
Not here: which rows are wanted and where they are stored (`ml.candles.rest`).

Formats: Binance "Kline/Candlestick Data" (spot, USD-M, COIN-M), Bybit V5 "Get Kline", OKX V5 "Get candlesticks".
Volumes count what the venue's trades count: base currency, or contracts where it trades contracts.
"""

from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from ml.candles.from_trades import TIMEFRAMES
from ml.core.errors import CaptureError, FrameError
from ml.core.instruments import Instrument, to_units
from ml.core.time import MS

_LARGEST = 2**63 - 1

Row = list[Any]
"""Opening time (ms UTC), open, high, low, close, volume, and more; numbers as the venue writes them."""


class Layout(NamedTuple):
    """Where a venue's row has more than opening time, open, high, low, close, volume; None where it has not.

    `notional` only where it is price x size; `settled` holds "0" while the candle may still change.
    """

    notional: int | None = None
    n_trades: int | None = None
    buy_volume: int | None = None
    settled: int | None = None


LAYOUTS = {
    "binance-spot": Layout(7, 8, 9),
    "binance-usdm": Layout(7, 8, 9),
    "binance-coinm": Layout(None, 8, 9),
    "bybit-spot": Layout(6),
    "bybit-linear": Layout(6),
    "bybit-inverse": Layout(),
    "okx-spot": Layout(7, settled=8),
    "okx-swap": Layout(settled=8),
}

CARRIED_OPEN = ("bybit-spot", "bybit-linear", "bybit-inverse")
"""Venues that open a candle at the close before it, whatever the first trade was; high and low reach to it (seen in
recorded candles beside their trades)."""


def stamp(row: Row, timeframe: str) -> int:
    """The close (ns) of a venue's row, which has its opening time in ms."""
    try:
        opened = int(row[0]) * MS
    except (IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise CaptureError(f"A {timeframe} candle has no opening time: {str(row)[:100]}. Use another venue.") from error
    if opened % TIMEFRAMES[timeframe]:
        raise CaptureError(f"A {timeframe} candle opens at {opened} ns, which is off its grid. Use another venue.")
    return opened + TIMEFRAMES[timeframe]


def candle(row: Row, instrument: Instrument) -> dict[str, int | None]:
    """A venue's row in whole units, without its stamp.

    Raises:
        FrameError: a value is missing, no number, off the instrument's grid, or the prices contradict each other.
    """
    layout = LAYOUTS[instrument.venue]
    decimals = instrument.price_decimals
    if len(row) <= max(5, *(index or 0 for index in layout)):
        raise FrameError("bad_frame", f"a row of {len(row)} values")
    opened, high, low, closed = (_whole(value, decimals) for value in row[1:5])
    if not 0 < low <= min(opened, closed) <= max(opened, closed) <= high:
        raise FrameError("bad_frame", f"open {row[1]}, high {row[2]}, low {row[3]}, close {row[4]} cannot be")
    size = instrument.size_decimals
    both = decimals + instrument.size_decimals
    return {
        "open": opened,
        "high": high,
        "low": low,
        "close": closed,
        "volume": _whole(row[5], size),
        "notional": None if layout.notional is None else _rounded(row[layout.notional], both),
        "n_trades": None if layout.n_trades is None else _whole(row[layout.n_trades], 0),
        "buy_volume": None if layout.buy_volume is None else _whole(row[layout.buy_volume], size),
    }


def _whole(value: Any, decimals: int) -> int:
    units = to_units(str(value), decimals)
    if not 0 <= units <= _LARGEST:
        raise FrameError("bad_number", f"{value} is negative or does not fit 64 bits")
    return units


def _rounded(value: Any, decimals: int) -> int:
    """A turnover in units; venues round it, so that it may have any number of decimals."""
    try:
        units = int(Decimal(str(value)).scaleb(decimals).to_integral_value())
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise FrameError("bad_number", f"{value!r} is not a number") from error
    if not 0 <= units <= _LARGEST:
        raise FrameError("bad_number", f"{value} is negative or does not fit 64 bits")
    return units
