"""Instruments: venue, symbol, decimals, tick and lot, and exact conversion between decimal text and integer units.

Which instruments are configured belongs to `ml.core.config`, inferring one from captures to
`ml.market.days.infer_instrument`.
"""

from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ml.core.errors import FrameError, InstrumentError

NOT_IN_SYMBOLS = "/|,[]"
"""Dagster refuses them in a partition's key, and the first ends a folder's name; no supported venue uses one."""
MAX_STALE_AFTER = 86_400


def is_symbol(text: str) -> bool:
    """Whether a text can be an instrument's symbol: part of a file's name and of a partition's key."""
    return bool(text) and text.isprintable() and not set(text) & set(NOT_IN_SYMBOLS)


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class Instrument:
    """One instrument of one venue.

    Prices and sizes are int64 in units of 10^-`price_decimals` and 10^-`size_decimals`, exact. `tick` and `lot`
    count those units; they scale features and decide nothing about storage.

    Args:
        id: `<venue>.<symbol>`, for example `binance-usdm.BTCUSDT`.
        price_decimals: decimals of a price.
        size_decimals: decimals of a size.
        tick: smallest price step, in price units.
        lot: smallest size step, in size units.
        contract_size: base amount of one contract (1 where sizes are in base currency).
        stale_after: seconds without a book message after which rows are null (`stale`), and after which a silence that
            nothing confirms as quiet is told as `silent`.
        valid_from: first UTC date for which these numbers hold, None if they always did.
        valid_to: last UTC date for which they hold, None if they still do, or until another entry begins.

    Raises:
        InstrumentError: the id has no venue, or a number is invalid.
    """

    id: str
    price_decimals: int
    size_decimals: int
    tick: int
    lot: int
    contract_size: float = 1.0
    stale_after: float = 60.0
    valid_from: date | None = None
    valid_to: date | None = None

    def __post_init__(self) -> None:
        venue, dot, symbol = self.id.partition(".")
        if not (venue and dot and symbol):
            raise InstrumentError(
                f"Instrument id {self.id!r} is not <venue>.<symbol>. Write it like binance-usdm.BTCUSDT."
            )
        if not is_symbol(symbol):
            raise InstrumentError(
                f"Instrument id {self.id!r} cannot be used as a file name and a partition key. "
                f"Its symbol must be printable, without any of {NOT_IN_SYMBOLS}. Correct lobforge.toml."
            )
        if not (0 <= self.price_decimals <= 12 and 0 <= self.size_decimals <= 12):
            raise InstrumentError(f"{self.id}: decimals must lie between 0 and 12. Correct lobforge.toml.")
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise InstrumentError(f"{self.id}: valid_to lies before valid_from. Correct lobforge.toml.")
        if self.tick < 1 or self.lot < 1 or self.contract_size <= 0:
            raise InstrumentError(f"{self.id}: tick, lot and contract_size must be positive. Correct lobforge.toml.")
        if not 0 < self.stale_after <= MAX_STALE_AFTER:
            raise InstrumentError(
                f"{self.id}: stale_after is {self.stale_after}. Give seconds above 0, up to {MAX_STALE_AFTER}, in "
                "lobforge.toml."
            )

    @property
    def venue(self) -> str:
        """The venue, for example `binance-usdm`."""
        return self.id.partition(".")[0]

    @property
    def symbol(self) -> str:
        """The venue's own name, for example `BTCUSDT`."""
        return self.id.partition(".")[2]

    @property
    def decimals(self) -> tuple[int, int]:
        """Decimals of prices and of sizes."""
        return self.price_decimals, self.size_decimals

    @property
    def stale_ns(self) -> int:
        """`stale_after` in ns."""
        return round(self.stale_after * 10**9)

    def price(self, units: int) -> float:
        """A price in units as a number in quote currency."""
        return units / 10**self.price_decimals

    def size(self, units: int) -> float:
        """A size in units as a number of base currency or contracts."""
        return units / 10**self.size_decimals


@lru_cache(maxsize=1 << 17)
def to_units(text: str, decimals: int) -> int:
    """Decimal text as an exact count of 10^-decimals.

    Raises:
        FrameError: `bad_number` if the text is no finite number, `off_grid` if it needs more decimals than listed.

    >>> to_units("63943.90", 1)
    639439
    """
    whole, _, fraction = text.partition(".")
    if whole.isascii() and whole.isdigit() and (fraction == "" or (fraction.isascii() and fraction.isdigit())):
        kept = fraction[:decimals]
        rest = fraction[decimals:]
        if rest.strip("0") == "":
            return _fitting(int(whole + kept.ljust(decimals, "0")), text)
        raise FrameError("off_grid", f"{text} needs more than {decimals} decimals")
    return _unusual_to_units(text, decimals)


def _unusual_to_units(text: str, decimals: int) -> int:
    """Signs, exponents and the like: rare, so read by the decimal module."""
    if not text.isascii():
        raise FrameError("bad_number", f"{text!r} is not a number")
    try:
        number = Decimal(text).scaleb(decimals)
    except InvalidOperation as error:
        raise FrameError("bad_number", f"{text!r} is not a number") from error
    if not number.is_finite() or number.adjusted() > 18:
        raise FrameError("bad_number", f"{text!r} is not a finite number that fits 64 bits")
    if number != int(number):
        raise FrameError("off_grid", f"{text} needs more than {decimals} decimals")
    return _fitting(int(number), text)


def _fitting(units: int, text: str) -> int:
    if abs(units) >= 1 << 63:
        raise FrameError("bad_number", f"{text!r} is not a finite number that fits 64 bits")
    return units
