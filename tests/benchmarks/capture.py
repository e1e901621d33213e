"""The live capture: what fifty symbols cost one core, how long a frame takes to the journal, and ccxt beside it.

`python -m tests.benchmarks.capture` prints all of it. The venue plays the busiest minute of the recorded BTCUSDT stream
for every symbol, from a process on another core; see `tests.support.emulator.tape` and `tests.support.emulator.trial`.
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import orjson
from aiohttp import WSMessage, WSMsgType

from ml.core.paths import DataRoot
from ml.core.settings import load
from tests.support.emulator.load import RECORDED
from tests.support.emulator.tape import busiest
from tests.support.emulator.trial import Setting, run

PROJECT = Path(__file__).parents[2]
STRETCH = 20.0
TOGETHER = 30
LAPS = 5
"""Seconds of the recording, frames that come in one read of the socket, and how often all is repeated."""
OURS = "capture, to the journal"
PEER = "ccxt, to its book"


def beside_ccxt(market: Path, laps: int = LAPS) -> dict[str, float]:
    """Frames a second of processor from the WebSocket message on, medians over laps in turn."""
    _, frames = busiest(sorted((market / "binance_raw").glob(f"*{RECORDED.lower()}*")), STRETCH)
    taken: dict[str, list[float]] = {OURS: [], PEER: []}
    for _ in range(laps):
        for name, contender in ((OURS, _ours), (PEER, _ccxt)):
            taken[name].append(asyncio.run(contender(frames)))
    return {name: len(frames) / float(np.median(seconds)) for name, seconds in taken.items()}


async def _ours(frames: list[bytes]) -> float:
    """Through the tee, the watch and the recorder, all with the kernel."""
    from live.service import Capture, Options
    from ml.capture.connections import _client

    with TemporaryDirectory() as folder:
        options = Options("binance-usdm", (RECORDED,))
        capture = Capture(DataRoot(Path(folder)), options, report=print)
        line = capture.lines[0]
        line._client = _client(capture.venue.exchange, line.asked.url, line._on_message)
        messages = [WSMessage(WSMsgType.TEXT, frame, None) for frame in frames]
        started = process_time()
        await _deliver(line._client, messages)
        while capture.recorder.waiting_bytes:
            await asyncio.sleep(0.001)
        seconds = process_time() - started
        assert capture.recorder.frames == len(frames)
        await capture.venue.close()
        capture.recorder.stop()
    return seconds


async def _ccxt(frames: list[bytes]) -> float:
    """Through ccxt's own client and handlers: its books, trades and best bids and asks, as its watchers keep them."""
    import ccxt.pro
    from ccxt.async_support.base.ws.client import Client

    exchange = ccxt.pro.binanceusdm({"enableRateLimit": False})
    symbol = "BTC/USDT:USDT"
    given = {"id": RECORDED, "symbol": symbol, "base": "BTC", "quote": "USDT", "settle": "USDT", "type": "swap"}
    exchange.set_markets([exchange.safe_market_structure(given | {"swap": True, "linear": True, "contract": True})])
    first = next(doc for doc in map(orjson.loads, frames) if doc["data"]["e"] == "depthUpdate")["data"]
    exchange.orderbooks[symbol] = exchange.order_book({"nonce": first["pu"], "bids": [], "asks": []}, 1000)

    def ignore(*_: object) -> None:
        return None

    options = {"asyncio_loop": asyncio.get_running_loop()}
    client = Client("wss://fstream.binance.com/public/stream", exchange.handle_message, ignore, ignore, ignore, options)
    messages = [WSMessage(WSMsgType.TEXT, frame.decode(), None) for frame in frames]
    started = process_time()
    await _deliver(client, messages)
    seconds = process_time() - started
    assert exchange.orderbooks[symbol]["nonce"] > first["u"], "ccxt applied nothing"
    await exchange.close()
    return seconds


async def _deliver(client: object, messages: list[WSMessage]) -> None:
    for start in range(0, len(messages), TOGETHER):
        for message in messages[start : start + TOGETHER]:
            client.handle_message(message)
        await asyncio.sleep(0)


def under_load(market: Path) -> dict[str, float]:
    """Trials of the whole process at 1, 5 and 20 times the busiest rate, before other work where that is allowed."""
    found: dict[str, float] = {"one core": 1.0}
    for speed, seconds in ((1.0, 40.0), (5.0, 200.0), (20.0, 200.0)):
        with TemporaryDirectory() as folder:
            trial = run(Setting(speed=speed, seconds=seconds, first=True), market, Path(folder))
        assert trial.sent == trial.journalled + trial.overflows
        name = f"capture, {speed:g}x"
        found |= {
            f"{name}: frames a second": trial.sent / trial.wall_s,
            f"{name}: share of the rate kept": trial.kept_up,
            f"{name}: frames refused": trial.overflows,
            f"{name}: core seconds a second": trial.core_s * trial.kept_up * speed,
        }
        for quantile in (50, 99, 99.9):
            found[f"{name}: socket to journal p{quantile:g}, ms"] = float(np.percentile(trial.delay, quantile)) * 1e3
    return found


def main() -> None:
    """Print all figures."""
    market = load().test_data or PROJECT.parent / "shared" / "data" / "market"
    for name, value in (beside_ccxt(market) | under_load(market)).items():
        print(f"{name}: {value:,.4g}")


if __name__ == "__main__":
    main()
