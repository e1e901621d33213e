"""The evidence packet of a cue: what was stored around it, and why the scorer gave its score.

Here: the packet as one JSON document, reproducible from the cue's id: the same stored days give the same bytes.
Not here: reading stored days (`ml.layering.stored`), the page that shows a packet (`live.pages`).

A packet says that orders look like layering. It never says what their owner meant.
"""

import hashlib
from typing import Any

import numpy as np
import polars as pl

from ml.core import config
from ml.core.addresses import scan
from ml.core.errors import StoreError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.core.time import SECOND
from ml.layering import stored
from ml.layering.features import FEATURES, NAMES
from ml.layering.layout import F64
from ml.layering.model import CueModel, load
from ml.layering.stored import Around, Book, Window
from ml.layering.tables import CUES
from ml.storage.commit import manifest

FORMAT = 1
CAUTION = (
    "A cue is a reason to look. It says that orders look like layering in public order-book data, where nobody sees "
    "who owns an order; it says nothing of anybody's intention."
)
DEPTH = 10
"""Levels of each side in a slice of the book, beside the prices of the lots."""
MOST_FRAMES = 200
"""Raw frames that are quoted; of more, those in which the lots' prices changed most."""
TABLES = (CUES.name, "book_events", "trades", "raw_frames")


def packet(root: DataRoot, cue: Around, model: CueModel | None = None) -> dict[str, Any]:
    """The evidence packet of a stored cue. Prices and sizes are numbers, times ns UTC by the exchange's clock.

    Args:
        root: the data root.
        cue: the cue with the market around it (`ml.layering.stored.around`).
        model: the scorer that found it; None takes the one that ships.

    Raises:
        StoreError: a table of its day is not stored, or another scorer than this one gave the score.
    """
    row, window = cue
    cue_id, date, name = row["id"], row["date"], row["instrument"]
    instrument = config.load(root).instrument(name)
    scorer = model or load()
    values = np.array([row[feature] for feature in NAMES])
    if scorer.predict(values[None])[0] != row["score"]:
        raise StoreError(
            f"{cue_id} was scored by another model than the running one. Materialize layering_cues of {date}|{name} "
            "again; a cue that is still found keeps its id."
        )
    rows = _level_rows(window, row)
    return {
        "format": FORMAT,
        "caution": CAUTION,
        "cue": _cue(row, instrument),
        "instrument": {
            "id": name,
            "price_step": instrument.price(instrument.tick),
            "size_step": instrument.size(instrument.lot),
        },
        "features": [
            {"name": f.id, "value": row[f.id], "unit": f.unit, "formula": f.formula, "source": f.source}
            for f in FEATURES
        ],
        "score": explanation(scorer, values, row["threshold"]),
        "book": slices(window, row, instrument),
        "level_changes": [_shown_change(change, instrument) for change in rows],
        "trades": _trades(window, row, instrument),
        "frames": _frames(root, date, name, window, row, rows),
        "tables": _tables(root, date, name),
    }


def explanation(model: CueModel, values: F64, threshold: float) -> dict[str, Any]:
    """Why features f64 (features) have their score: contributions to its log-odds, and what would lower it.

    The contributions are LightGBM's own (`pred_contrib`); with `base` they add up to the log-odds of the score.
    """
    import lightgbm as lgb

    booster = lgb.Booster(model_str=model.text)
    contributions = np.asarray(booster.predict(values[None], pred_contrib=True))[0]
    order = np.argsort(-np.abs(contributions[:-1]), kind="stable")
    score = float(model.predict(values[None])[0])
    return {
        "score": score,
        "threshold": threshold,
        "log_odds": float(contributions.sum()),
        "base": float(contributions[-1]),
        "contributions": [{"feature": NAMES[k], "log_odds": float(contributions[k])} for k in order],
        "counterfactuals": counterfactuals(model, values, threshold) if score >= threshold else [],
        "model": {"sha256": hashlib.sha256(model.text.encode()).hexdigest(), "trained_on": model.card.trained_on},
    }


def counterfactuals(model: CueModel, values: F64, threshold: float) -> list[dict[str, Any]]:
    """Features that alone would bring the score below the threshold, the smallest change first.

    Each is `{feature, value, relation, bound, score}`: were the feature `at most` or `above` the bound, and all others
    as they are, the score would be `score`. A change is measured by how many of the trees' splits on the feature it
    crosses, as a share of them. No entry: no single feature decides.
    """
    found = list[tuple[float, dict[str, Any]]]()
    for k, name in enumerate(NAMES):
        splits = np.unique(model.trees.threshold[model.trees.feature == k])
        # between two splits the score is constant: one value for each of these ranges
        candidates = np.append(splits, np.nextafter(splits[-1], np.inf)) if len(splits) else splits
        if not len(candidates):
            continue
        trials = np.repeat(values[None], len(candidates), axis=0)
        trials[:, k] = candidates
        scores = model.predict(trials)
        here = int(np.searchsorted(splits, values[k]))
        below = np.flatnonzero(scores < threshold)
        if not len(below):
            continue
        nearest = int(below[np.argmin(np.abs(below - here))])
        is_lower = nearest < here
        change = {
            "feature": name,
            "value": float(values[k]),
            "relation": "at most" if is_lower else "above",
            "bound": float(splits[nearest] if is_lower else splits[nearest - 1]),
            "score": float(scores[nearest]),
        }
        found.append((abs(nearest - here) / len(splits), change))
    return [change for _, change in sorted(found, key=lambda one: one[0])]


def slices(window: Window, row: dict[str, Any], instrument: Instrument) -> list[dict[str, Any]]:
    """The book at five moments of a cue in the order of time.

    Each has the best `DEPTH` levels of both sides as [price, size], and the same for the prices of the lots.
    """
    placed = row["start"] + round(row["placement"] * SECOND)
    moments = {
        "before the first lot": row["start"] - 1,
        "all lots placed": placed,
        "before the first pull": row["first_pull"] - 1,
        "after the last pull": row["last_pull"],
        "decision": row["ts"],
    }
    moments = dict(sorted(moments.items(), key=lambda moment: moment[1]))  # slow pulls begin before the last placement
    books = [None if book is None else dict(book) for book in stored.books_at(window, moments.values())]
    return [
        {
            "moment": name,
            "time": ts,
            "message": max((one.ts for one in window.messages if one.ts <= ts), default=window.start),
            **_shown_book(book, row, instrument),
        }
        for (name, ts), book in zip(moments.items(), books, strict=True)
    ]


def _shown_book(book: Book | None, row: dict[str, Any], instrument: Instrument) -> dict[str, Any]:
    if book is None:
        return {"known": False, "bids": [], "asks": [], "lots": []}
    sign = 1 if row["side"] == "bid" else -1
    sides = {
        name: [
            [instrument.price(price), instrument.size(book[side, price])]
            for price in sorted((price for s, price in book if s == side), reverse=side > 0)[:DEPTH]
        ]
        for name, side in (("bids", 1), ("asks", -1))
    }
    lots = [[instrument.price(price), instrument.size(book.get((sign, price), 0))] for price in row["prices"]]
    return {"known": True, **sides, "lots": lots}


def _cue(row: dict[str, Any], instrument: Instrument) -> dict[str, Any]:
    times = {name: row[name] for name in ("start", "first_pull", "last_pull")}
    return {
        "id": row["id"],
        "side": row["side"],
        **times,
        "decided": row["ts"],
        "prices": [instrument.price(price) for price in row["prices"]],
        "volume": instrument.size(row["volume"]),
        "typical_best_size": instrument.size(row["scale"]),
        "score": row["score"],
        "final_score": row["final_score"],
        "score_low": row["score_low"],
        "score_high": row["score_high"],
        "threshold": row["threshold"],
        "verdict": row["verdict"],
        "reason": row["reason"],
    }


def _level_rows(window: Window, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Changes of size at the lots' prices, from a second before the first lot to the decision, in units."""
    sign = 1 if row["side"] == "bid" else -1
    prices = set(row["prices"])
    sizes = {price: (window.opening or {}).get((sign, price), 0) for price in prices}
    found = list[dict[str, Any]]()
    for message, book in stored.replay(window):
        for price in row["prices"]:
            size = 0 if book is None else book.get((sign, price), 0)
            if size != sizes[price]:
                if row["start"] - SECOND <= message.ts <= row["ts"]:
                    change = {"time": message.ts, "arrival": message.arrival, "price": price}
                    found.append({**change, "before": sizes[price], "after": size})
                sizes[price] = size
    return found


def _shown_change(change: dict[str, Any], instrument: Instrument) -> dict[str, Any]:
    sizes = {name: instrument.size(change[name]) for name in ("before", "after")}
    return change | {"price": instrument.price(change["price"])} | sizes


def _trades(window: Window, row: dict[str, Any], instrument: Instrument) -> list[dict[str, Any]]:
    """Trades from a second before the first lot to the decision."""
    inside = window.trades.filter(pl.col("event_ts").is_between(row["start"] - SECOND, row["ts"]))
    return [
        {
            "time": trade["event_ts"],
            "arrival": trade["arrival"],
            "id": trade["trade_id"],
            "aggressor": "buy" if trade["side"] > 0 else "sell",
            "price": instrument.price(trade["price"]),
            "size": instrument.size(trade["size"]),
        }
        for trade in inside.iter_rows(named=True)
    ]


def _frames(
    root: DataRoot, date: str, name: str, window: Window, row: dict[str, Any], changes: list[dict[str, Any]]
) -> dict[str, Any]:
    """The raw frames that the changes and trades were read from: where each lies, its hash, and its text."""
    weight = dict[int, int]()
    for change in changes:
        moved = abs(change["after"] - change["before"])
        weight[change["arrival"]] = weight.get(change["arrival"], 0) + moved
    inside = window.trades.filter(pl.col("event_ts").is_between(row["start"] - SECOND, row["ts"]))
    for arrival in inside["arrival"].unique(maintain_order=True):
        weight.setdefault(arrival, 0)
    kept = sorted(sorted(weight, key=lambda arrival: -weight[arrival])[:MOST_FRAMES])
    wanted = pl.col("arrival").is_between(min(kept, default=0), max(kept, default=0)) & pl.col("arrival").is_in(kept)
    path = root.partition("raw_frames", date, name)
    if not path.exists():
        raise StoreError(f"{path} does not exist. Materialize raw_frames of {date}|{name}.")
    quoted = [
        {
            "arrival": frame["arrival"],
            "received": frame["recv_ts"],
            "kind": frame["kind"],
            "source_sha256": frame["source_sha256"],
            "offset": frame["offset"],
            "sha256": hashlib.sha256(frame["payload"]).hexdigest(),
            "text": frame["payload"].decode(errors="backslashreplace"),
        }
        for frame in scan(path).filter(wanted).collect().iter_rows(named=True)
    ]
    return {"quoted": quoted, "left_out": len(weight) - len(kept)}


def _tables(root: DataRoot, date: str, name: str) -> list[dict[str, Any]]:
    """The stored files that the packet was made of, as their manifests list them."""
    found = list[dict[str, Any]]()
    for table in TABLES:
        path = root.partition(table, date, name).relative_to(root.root).as_posix()
        entry = manifest(root, table).get(path)
        if entry is None:
            raise StoreError(f"{path} is in no manifest. Run `lobforge init`, which lists it again.")
        found.append({"path": path, "sha256": entry.sha256, "rows": entry.rows, "code_version": entry.code_version})
    return found
