"""A venue's candles over REST: asking at the rate that it allows, and again when it did not answer.

Here: one venue's connection for questions about the past.
Not here: which candles are wanted and what an answer says (`ml.candles.rest`), streams (`ml.capture.connections`).
"""

from asyncio import sleep
from collections.abc import Sequence
from typing import Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from ml.candles.from_trades import TIMEFRAMES
from ml.capture.connections import MAX_BACK_OFF, Venue, ccxt_errors, retry_after
from ml.capture.plans import plan
from ml.core.errors import CaptureError, SettingsError, VenueRefused

TRIES = 5
"""How often a venue is asked for the same candles."""
MAX_WAIT = 120.0
"""A venue that asks to wait longer, in seconds, has banned us: give up."""


class History(Venue):
    """A venue's candles over REST, no faster than it allows.

    Args:
        venue: of `ml.capture.plans.PLANS`.
        rest_url: another REST base address, for a gateway or an emulator.
    """

    def __init__(self, venue: str, rest_url: str | None = None) -> None:
        asked = plan(venue)
        super().__init__(asked)
        exchange = self.exchange
        own = asked.endpoints.rest
        exchange.enableRateLimit = exchange.enableLastJsonResponse = True
        exchange.urls["api"] = _moved(exchange.urls["api"], own, rest_url or own, exchange.hostname or "")
        # rows as the venue sent them: floats would lose digits, and contracts are not to be turned into coins
        exchange.parse_ohlcvs = _as_sent
        self.venue = venue
        self.requests = 0
        self.waited = 0.0

    def know(self, symbol: str, timeframes: Sequence[str]) -> None:
        """Announce a symbol, the venue's own name, so that it need not be looked up.

        Raises:
            SettingsError: the venue serves no candles of a timeframe.
        """
        served = [name for name in TIMEFRAMES if name in self.exchange.timeframes]
        unknown = [name for name in timeframes if name not in served]
        if unknown:
            raise SettingsError(f"{self.venue} serves no {unknown[0]} candles. Available: {', '.join(served)}.")
        spot = self.venue.endswith("-spot")
        inverse = self.venue in ("binance-coinm", "bybit-inverse")
        kind = {"type": "spot" if spot else "swap", "spot": spot, "swap": not spot, "contract": not spot}
        kind |= {"linear": not (spot or inverse), "inverse": inverse, "option": False}
        known = list((self.exchange.markets or {}).values())
        market = self.exchange.safe_market_structure({"id": symbol, "symbol": symbol, **kind})
        self.exchange.set_markets([*known, market])

    async def candles(self, symbol: str, timeframe: str, first: int, last: int) -> list[list[Any]]:
        """Rows, as sent, of the candles that open from `first` to `last` (ms UTC); an answer may hold fewer or others.

        A failed request is retried, as late as the venue says.

        Raises:
            VenueRefused: there was no answer, five times, or the venue asks to wait for more than two minutes.
            CaptureError: the venue says that the question is wrong.
        """
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(VenueRefused),
            wait=_wait,
            stop=lambda state: state.attempt_number == TRIES or state.upcoming_sleep > MAX_WAIT,
            sleep=self._sleep,
            reraise=True,
        ):
            with attempt:
                return await self._ask(symbol, timeframe, first, last)
        raise AssertionError("the last failure raises")

    async def _sleep(self, seconds: float) -> None:
        self.waited += seconds
        await sleep(seconds)

    async def _ask(self, symbol: str, timeframe: str, first: int, last: int) -> list[list[Any]]:
        no_answer, any_error = ccxt_errors()
        exchange = self.exchange
        name = f"{self.venue} {symbol} {timeframe}"
        limit = (last - first) // (exchange.parse_timeframe(timeframe) * 1000) + 1
        self.requests += 1
        exchange.last_json_response = None
        exchange.last_response_headers = None
        try:
            # one more ms: the venues do not agree on whether the end belongs to the question
            rows = await exchange.fetch_ohlcv(symbol, timeframe, first, limit, {"until": last + 1})
        except no_answer as error:
            raise VenueRefused(f"{name}: {error}"[:300] + ".", retry_after(exchange.last_response_headers)) from error
        except any_error as error:
            raise CaptureError(f"{name}: {error}"[:300] + ". Check the symbol and the address.") from error
        if not isinstance(_listed(exchange.last_json_response), list):
            # ccxt reads it as no candles, which would be recorded as not published
            raise VenueRefused(
                f"{name}: the response contains no list of candles: {exchange.last_json_response!r:.100}."
            )
        return rows


def _wait(state: RetryCallState) -> float:
    """Seconds before the next attempt: as many as the venue asks for, else twice as many as before this one."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, VenueRefused) else 0.0
    return asked or min(0.5 * 2 ** (state.attempt_number - 1), MAX_BACK_OFF)


def _as_sent(rows: list[list[Any]] | None, *_: Any) -> list[list[Any]]:
    return rows or []


def _listed(answer: Any) -> Any:
    """Where an answer has its candles: Binance sends them bare, OKX under `data`, Bybit under `result` and `list`."""
    for name in ("data", "result", "list"):
        if isinstance(answer, dict):
            answer = answer.get(name, answer)
    return answer


def _moved(urls: Any, old: str, to: str, hostname: str) -> Any:
    """The addresses of a ccxt class, those of one server moved to another."""
    if isinstance(urls, dict):
        return {key: _moved(value, old, to, hostname) for key, value in urls.items()}
    whole = urls.replace("{hostname}", hostname) if isinstance(urls, str) else urls
    return to + whole.removeprefix(old) if isinstance(whole, str) and whole.startswith(old) else urls
