"""A capture process over an emulator, and waiting for what must happen to both."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from ml.paths import DataRoot
from tests.emulator.server import Emulator
from tests.emulator.truth import check
from tests.scenario import chain_of

SYMBOLS = {"okx-swap": ["BTC-USDT-SWAP"], "okx-spot": ["BTC-USDT"], "binance-coinm": ["TRXUSD_PERP"]}

CAPTURE = """
import os, sys
from functools import partial
from live import capture
from ml.capture.recorder import ROLL_BYTES, Recorder
refused = os.environ.get("REFUSED", "").encode()
if step := os.environ.get("KILL_AT"):
    from ml.capture import sealer
    from tests.support.disk import kill_at
    kill_at(step)
    sealer.START = f"from tests.support.disk import kill_at\\nkill_at({step!r})\\n" + sealer.START
class Filled(Recorder):
    def offer(self, connection, recv_ts, frames):
        global refused
        if refused and len(frames) == 1 and refused in frames[0]:
            refused, self.queue_bytes = b"", 0
        try:
            return super().offer(connection, recv_ts, frames)
        finally:
            self.queue_bytes = 1 << 26
capture.REFRESH_SECONDS = float(os.environ.get("REFRESH_SECONDS", capture.REFRESH_SECONDS))
capture.Recorder = partial(Filled, roll_bytes=int(os.environ.get("ROLL_BYTES", ROLL_BYTES)))
sys.exit(capture.main(sys.argv[1:]))
"""
"""The command; journals may be rolled sooner, the queue is full when a frame with REFUSED comes alone, snapshots may be
fetched again sooner, and the process that commits first may be killed at a step."""


class Running:
    """A capture process over an emulator."""

    def __init__(self, root: DataRoot, venue: str, emulator: Emulator, *more: str, **environment: str) -> None:
        command = [sys.executable, "-c", CAPTURE, "--venue", venue, "--json", *emulator.arguments, *more]
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*command, "--symbols", ",".join(emulator.markets)],
            env=os.environ | {"LOBFORGE_DATA_ROOT": str(root.root)} | environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self) -> dict:
        """SIGTERM: it must end cleanly, all sealed within five seconds."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        summary = json.loads(out.splitlines()[-1])
        assert summary["stop_s"] < 5
        return summary


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
