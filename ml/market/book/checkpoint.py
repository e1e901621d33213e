"""The checkpoint of a day: the state of decoder and kernel at its opening, as bytes.

This module packs and unpacks it. The bytes depend only on the frames since the last snapshot that is more than an
hour old, not on where reading began: state from an older past is cut to the same hour. When a day opens belongs to
`ml.market.days.day`.
"""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from ml.core.errors import StoreError
from ml.core.instruments import Instrument
from ml.core.time import SECOND
from ml.core.versions import KERNEL, code_version
from ml.market.book import layout
from ml.market.book.ladder import clear, levels, set_levels, settle
from ml.market.book.layout import State
from ml.market.book.sampler import Sampler
from ml.market.decode.clock import Clock
from ml.market.decode.continuity import NO_ID
from ml.market.decode.decoder import Decoder
from ml.market.decode.events import BookMessage, Trade

RECENT_NS = 60 * SECOND


def pack(decoder: Decoder, sampler: Sampler) -> bytes:
    """Decoder and sampler as one Arrow IPC message, zstd, marked with the version of the kernel."""
    state = sampler.state
    arrays = _state_arrays(state)
    table = pa.table(
        {
            "name": list(arrays),
            "shape": [list(a.shape) for a in arrays.values()],
            "data": [np.ascontiguousarray(a, np.int64).tobytes() for a in arrays.values()],
        },
        metadata={"code_version": code_version(KERNEL), "decoder": orjson.dumps(_decoder_state(decoder, state))},
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def unpack(data: bytes, instrument: Instrument) -> tuple[Decoder, Sampler]:
    """Decoder and sampler that go on from packed bytes.

    Raises:
        StoreError: the bytes were made by another version of the kernel.
    """
    table = pa.ipc.open_stream(data).read_all()
    metadata = table.schema.metadata
    if metadata[b"code_version"].decode() != code_version(KERNEL):
        raise StoreError(
            f"{instrument.id}: the day's checkpoint was made by {metadata[b'code_version'].decode()}, running is "
            f"{code_version(KERNEL)}. Materialize raw_frames of that day again, and what is downstream of it."
        )
    arrays = {
        row["name"]: np.frombuffer(row["data"], np.int64).reshape(row["shape"]).copy() for row in table.to_pylist()
    }
    return _decoder(orjson.loads(metadata[b"decoder"]), instrument), Sampler(_state(arrays))


def _state_arrays(state: State) -> dict[str, np.ndarray]:
    meta = state.meta.copy()
    closed = int(meta[layout.CLOSED])
    tail = state.samples[max(closed - layout.TAIL, 0) : closed].copy()
    meta[layout.RELEASED] = max(meta[layout.RELEASED] - (closed - len(tail)), 0)
    meta[layout.CLOSED] = len(tail)
    meta[layout.SPANS] = 0
    meta[layout.START_ARRIVAL] = meta[layout.RELEASE_ARRIVAL] = -1
    oldest = meta[layout.NEXT] - (layout.TAIL + 1) * meta[layout.PERIOD]
    meta[layout.START_TS] = max(meta[layout.START_TS], oldest)
    meta[layout.TRADES_ARRIVAL] = -1
    if meta[layout.TRADES_SINCE]:
        meta[layout.TRADES_SINCE] = max(meta[layout.TRADES_SINCE], oldest)
    for run in (layout.RUN, layout.TRADES_RUN):
        tail[:, run] = np.minimum(tail[:, run], np.arange(1, len(tail) + 1))
    if meta[layout.TRADE_TS] < oldest:
        meta[layout.TRADE_TS] = meta[layout.TRADE_PRICE] = 0
    traded = tail[:, layout.TRADE_COUNT : layout.TRADE_VOLUME].any(axis=1)
    # a price is kept where its trade, or the first one since trades are known, lies within the tail
    begun = tail[:, layout.TRADES_RUN] < np.arange(1, len(tail) + 1)
    tail[~np.logical_or.accumulate(traded) & ~begun, layout.LAST_TRADE] = 0
    arrays = {
        "top": state.top,
        "flow": state.flow,
        "tape": state.tape[: meta[layout.ON_TAPE]],
        "tail": tail,
        "meta": meta,
    }
    for side, name in enumerate(("bid", "ask")):
        arrays[f"{name}_prices"], arrays[f"{name}_sizes"] = levels(state.book, side)
    return arrays


def _state(arrays: dict[str, np.ndarray]) -> State:
    meta = arrays["meta"]
    tail = arrays["tail"]
    state = layout.empty_state(int(meta[layout.PERIOD]), 2 * layout.TAIL + 86_400)
    state.meta[:] = meta
    state.top[:] = arrays["top"]
    state.flow[:] = arrays["flow"]
    state.tape[: len(arrays["tape"])] = arrays["tape"]
    state.samples[: len(tail)] = tail
    prices, sizes = (np.concatenate([arrays[f"bid_{w}"], arrays[f"ask_{w}"]]) for w in ("prices", "sizes"))
    if prices.size:
        n = len(arrays["bid_prices"])
        sides = np.repeat(np.array([1, -1], np.int8), [n, prices.size - n])
        center = (prices[n - 1] + prices[n]) // 2 if 0 < n < prices.size else prices[0]
        clear(state.book, int(center))
        set_levels(state.book, sides, prices, sizes, 0, prices.size, np.empty(prices.size, np.int64))
        settle(state.book)
    return state


def _decoder_state(decoder: Decoder, state: State) -> dict[str, Any]:
    decoder.catch_up_books()
    decoder.catch_up_trades()
    chain = decoder.continuity
    since = decoder.clock.watermark - RECENT_NS
    return {
        "clock": decoder.clock,
        "suspect": decoder.suspect,
        "last_id": chain.last_id,
        "last_ts": chain.last_ts,
        "left_at": NO_ID if chain.last_id is not None else chain.left_at,
        "held": chain.held,
        "moved": chain.moved,
        "doubted": chain.doubted,
        "pending": [m for m in chain.pending if m.event_ts >= since],
        "recent": [m for m in chain.recent.values() if m.event_ts >= since],
        "highest_trade": decoder.highest_trade if state.meta[layout.TRADES_SINCE] else 0,
        "trades": [t for t in decoder.recent_trades.values() if t.event_ts >= since],
    }


def _decoder(kept: dict[str, Any], instrument: Instrument) -> Decoder:
    decoder = Decoder(instrument)
    chain = decoder.continuity
    decoder.clock = Clock(**kept["clock"])
    decoder.suspect = kept["suspect"]
    chain.last_id = kept["last_id"]
    chain.last_ts = kept["last_ts"]
    chain.moved = kept["moved"]
    chain.left_at = kept["left_at"]
    chain.doubted = kept["doubted"]
    chain.held = BookMessage(**kept["held"]) if kept["held"] else None
    chain.pending.extend(BookMessage(**message) for message in kept["pending"])
    chain.recent = {message["last_id"]: BookMessage(**message) for message in kept["recent"]}
    for trade in kept["trades"]:
        decoder.remember(Trade(**trade))
    decoder.highest_trade = max(decoder.highest_trade, kept["highest_trade"])
    return decoder
