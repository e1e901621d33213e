"""A local exchange that serves candles over REST as Binance, Bybit and OKX do, and can be told to fail."""

import asyncio
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

MINUTES = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "1H": 60, "1": 1, "5": 5, "15": 15, "60": 60}


def row(opened_ms, price=100.0, volume="1.500"):
    """A Binance row: open, high, low, close, volume, close time, turnover, trades, bought volume, bought turnover."""
    prices = [f"{p:.1f}" for p in (price, price + 1, price - 1, price + 0.5)]
    return [opened_ms, *prices, volume, opened_ms + 59_999, "150.75000000", 7, "0.500", "50.0", "0"]


@dataclass
class Exchange:
    """What the server has, how it fails, and what it was asked."""

    rows: dict[int, list] = field(default_factory=dict)
    """Rows by opening time in ms, the same for every timeframe; rows off a timeframe's grid are not served."""
    page: int = 1_000
    refusals: list[tuple[int, dict, str]] = field(default_factory=list)
    """Answers (status, headers, body) to be given first."""
    asked: list[dict] = field(default_factory=list)
    url: str = ""

    def fill(self, first_ms, minutes, price=100.0):
        """Serve a candle for every minute."""
        for k in range(minutes):
            self.rows[first_ms + k * 60_000] = row(first_ms + k * 60_000, price + k % 7)

    def between(self, step, first, last):
        return [self.rows[ts] for ts in sorted(self.rows) if first <= ts <= last and ts % (step * 60_000) == 0]

    async def answer(self, request):
        """One request, of any of the venues."""
        query = dict(request.query)
        self.asked.append(query | {"path": request.path})
        if self.refusals:
            status, headers, body = self.refusals.pop(0)
            return web.Response(status=status, headers=headers, text=body, content_type="application/json")
        return web.json_response(self._venue(request.path, query))

    def _venue(self, path, query):
        limit = min(int(query["limit"]), self.page)
        if "klines" in path:
            last = int(query.get("endTime", 2**60))
            return self.between(MINUTES[query["interval"]], int(query["startTime"]), last)[:limit]
        if path.startswith("/v5"):  # newest first, and cut at the old end
            found = self.between(MINUTES[query["interval"]], int(query["start"]), int(query["end"]))[::-1][:limit]
            rows = [[str(r[0]), *r[1:6], r[7]] for r in found]
            return {"retCode": 0, "retMsg": "OK", "result": {"symbol": query["symbol"], "list": rows}}
        found = self.between(MINUTES[query["bar"]], int(query["before"]) + 1, int(query["after"]) - 1)[::-1][:limit]
        rows = [[str(r[0]), *r[1:6], "9.9", r[7], r[11]] for r in found]
        return {"code": "0", "msg": "", "data": rows}


@contextmanager
def served(exchange):
    """Serve an exchange on a free port of 127.0.0.1 from a thread of its own."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def start():
        app = web.Application()
        app.router.add_get("/{path:.*}", exchange.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)  # an answer that is stalled on purpose is cut
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        exchange.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        return runner

    def run():
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(10)
    try:
        yield exchange
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def garbage(text):
    """An answer with status 200 and any body."""
    return 200, {}, text


def busy(seconds):
    """Too many requests, with how long to wait."""
    return 429, {"Retry-After": str(seconds)}, json.dumps({"code": -1003, "msg": "Too many requests"})
