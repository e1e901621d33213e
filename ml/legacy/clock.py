"""Times in any unit, as integers, floats or text.

Here: one column of times to ns UTC, with the reason where a value is no time.
Not here: what is done with rows without time (`ml.legacy.parts`).
"""

from datetime import UTC, datetime

import polars as pl

UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_FROM = 1_400_000_000
_TO = 4_200_000_000
"""Plausible times in seconds, 2014 to 2103: in this interval a number has only one unit."""


def normalise(times: pl.Series) -> pl.DataFrame:
    """Columns ts (i64 ns UTC, null if none) and reason (`no_timestamp`, `bad_timestamp` or null), a row a value.

    Numbers are taken as seconds, ms, us or ns by their size, each by itself. Text without an offset is taken as UTC.
    """
    if times.dtype.is_temporal():
        stamped = times.cast(pl.Datetime("ns")).to_physical()
        return _judge(pl.DataFrame({"ts": stamped, "empty": times.is_null()}))
    if times.dtype == pl.String:
        number = times.cast(pl.Int64, strict=False)
        text = times.str.strip_chars()
        parsed = pl.Series(
            [_parse(t) if n is None and t else None for t, n in zip(text, number, strict=True)], dtype=pl.Int64
        )
        ts = _scaled(number).fill_null(_scaled(times.cast(pl.Float64, strict=False))).fill_null(parsed)
        return _judge(
            pl.DataFrame({"ts": ts, "empty": (text.fill_null("") == "") | (number == 0).fill_null(value=False)})
        )
    if not times.dtype.is_numeric():
        return _judge(
            pl.DataFrame({"ts": pl.repeat(None, times.len(), dtype=pl.Int64, eager=True), "empty": times.is_null()})
        )
    zero = (times == 0).fill_null(value=True) | (times.is_nan() if times.dtype.is_float() else False)
    return _judge(pl.DataFrame({"ts": _scaled(times), "empty": zero}))


def _judge(frame: pl.DataFrame) -> pl.DataFrame:
    plausible = pl.col("ts").is_between(_FROM * 10**9, _TO * 10**9, closed="left").fill_null(value=False)
    return frame.select(
        pl.when(plausible).then("ts").alias("ts"),
        reason=pl.when(~plausible).then(
            pl.when("empty").then(pl.lit("no_timestamp")).otherwise(pl.lit("bad_timestamp"))
        ),
    )


def _scaled(numbers: pl.Series) -> pl.Series:
    """Numbers in their unit as ns; null where none fits. Floats are right to the microsecond."""
    value = pl.col(numbers.name)
    found: list[pl.Expr] = []
    for factor in UNITS.values():
        unit = 10**9 // factor
        fits = value.is_between(_FROM * unit, _TO * unit, closed="left")
        if numbers.dtype.is_float() and factor > 1:
            ns = (value * (factor // 1000)).round().cast(pl.Int64, strict=False) * 1000
        else:
            ns = value.cast(pl.Int64, strict=False) * factor
        found.append(pl.when(fits).then(ns))
    return numbers.to_frame().select(pl.coalesce(found)).to_series()


def _parse(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1e6) * 1000
