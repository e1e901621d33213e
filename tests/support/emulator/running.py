"""A capture process over an emulator, and waiting for what must happen to both."""

import json
import signal
import time
from collections.abc import Callable
from typing import Any

from ml.core.paths import DataRoot
from tests.support.emulator.server import Emulator
from tests.support.emulator.truth import check
from tests.support.emulator.verb import capture
from tests.support.forked import Forked
from tests.support.scenario import chain_of

SYMBOLS = {"okx-swap": ["BTC-USDT-SWAP"], "okx-spot": ["BTC-USDT"], "binance-coinm": ["TRXUSD_PERP"]}


class Running:
    """A capture process over an emulator.

    Args:
        venue: as the verb takes it.
        more: further options of the verb.
        patches: what `tests.support.emulator.verb` changes, and environment variables in capitals.
    """

    def __init__(self, root: DataRoot, venue: str, emulator: Emulator, *more: str, **patches: Any) -> None:
        arguments = ["--venue", venue, "--json", *emulator.arguments, *more, "--symbols", ",".join(emulator.markets)]
        environment = {name: patches.pop(name) for name in [*patches] if name.isupper()}
        self.started = time.monotonic()
        self.process = Forked(capture, arguments, environment | {"LOBFORGE_DATA_ROOT": str(root.root)}, patches)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self) -> dict:
        """SIGTERM: it must end cleanly, with all sealed."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate()
        assert self.process.returncode == 0, err
        return json.loads(out.splitlines()[-1])


def until(happened: Callable[[], bool], seconds: float = 240.0) -> None:
    """Wait for something that must happen."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def flows(emulator: Emulator, frames: int = 60) -> None:
    """Wait until so many more frames were delivered."""
    target = emulator.sent + frames
    until(lambda: emulator.sent >= target)


def anchored(emulator: Emulator) -> None:
    """Wait until every book can be known: the stream runs, and snapshots were served where they are asked for."""
    until(lambda: emulator.sent > 20)
    if emulator.protocol.rest:
        until(lambda: emulator.served >= len(emulator.markets))
    flows(emulator, 200)


def emulated(venue: str) -> Emulator:
    return Emulator(venue, SYMBOLS.get(venue, ["BTCUSDT", "ETHUSDT"]))


def truth(root: DataRoot, venue: str, emulator: Emulator):
    """What each symbol's capture holds, checked against what happened."""
    chain = chain_of(*sorted(root.captures.glob("*.parquet")))
    return [check(chain, f"{venue}.{name}", market) for name, market in emulator.markets.items()]
