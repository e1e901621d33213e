"""Labels by a plain loop over rows of Python numbers, and by DuckDB's ASOF JOIN."""

from itertools import pairwise
from math import sqrt
from statistics import median


def loop(rows, horizon, day_end):
    """rows: dicts ts, bid, ask, valid, run. Returns (movement, sigma, reason) per row."""
    found = []
    by_ts = {row["ts"]: k for k, row in enumerate(rows)}
    for k, row in enumerate(rows):
        if not row["valid"]:
            found.append((None, None, "one_sided" if (row["bid"] > 0) != (row["ask"] > 0) else "invalid_book"))
            continue
        mid = (row["bid"] + row["ask"]) / 2
        n = min(row["run"], 1800, k)
        changes = [
            (rows[j]["bid"] + rows[j]["ask"] - rows[j - 1]["bid"] - rows[j - 1]["ask"]) / 2
            for j in range(k - n + 1, k + 1)
        ]
        sigma = sqrt(horizon * sum(c * c for c in changes) / n) / mid if n >= 60 else None
        target = row["ts"] + horizon * 10**9
        later = by_ts.get(target)
        if target > day_end:
            found.append((None, sigma, "day_end"))
        elif later is None:
            found.append((None, sigma, "capture_end"))
        elif not all(rows[j]["valid"] and rows[j]["run"] > 0 for j in range(k + 1, later + 1)):
            found.append((None, sigma, "horizon_invalid"))
        else:
            found.append(((rows[later]["bid"] + rows[later]["ask"]) / 2 / mid - 1, sigma, "none"))
    return found


def asof(connection, frame, horizon):
    """Movement by DuckDB: the last known mid at or before t + h, not older than half a second."""
    connection.register("q", frame)
    return connection.execute(
        f"""
        select l.ts, r.mid / l.mid - 1 as movement
        from (select *, ts + {horizon * 10**9} as target from q) l
        asof left join q r on l.target >= r.ts and true
        where r.ts > l.target - 500000000
        order by l.ts
        """  # noqa: S608 - a number of our own
    ).fetchall()


def sparse(rows, horizon, end):
    """Labels of snapshots by a plain loop: rows are (ts, price or None); returns (movement, age, reason) per row."""
    gaps = sorted(b[0] - a[0] for a, b in pairwise(rows))
    spacing = int(median(gaps)) if gaps else 0
    tolerance = max(500_000_000, spacing // 2)
    known = [(ts, price) for ts, price in rows if price is not None]
    found = []
    for ts, price in rows:
        target = ts + horizon * 10**9
        before = [(t, p) for t, p in known if target - tolerance <= t <= target]
        if price is None or spacing > horizon * 10**9 // 2:
            found.append((None, None, "undefined"))
        elif target > end:
            found.append((None, None, "day_end"))
        elif target > known[-1][0]:
            found.append((None, None, "capture_end"))
        elif not before:
            found.append((None, None, "stale"))
        else:
            found.append((before[-1][1] / price - 1, target - before[-1][0], "none"))
    return found


def net(rows, horizon, fee, latency):
    """Returns after costs by a plain loop over dicts bid, ask, movement: (long, short) per row."""
    found = []
    for k, row in enumerate(rows):
        if row["movement"] is None:
            found.append((None, None))
            continue
        enter = rows[k + latency]
        leave = rows[k + horizon]
        long = leave["bid"] - enter["ask"] - fee * leave["bid"] - fee * enter["ask"]
        short = enter["bid"] - leave["ask"] - fee * leave["ask"] - fee * enter["bid"]
        found.append((long / enter["ask"], short / enter["bid"]))
    return found


NET = """
select q.ts,
    (x.bid - e.ask - {fee} * (x.bid + e.ask)) / e.ask as net_long,
    (e.bid - x.ask - {fee} * (x.ask + e.bid)) / e.bid as net_short
from q join q e on e.ts = q.ts + {latency} * 1000000000::bigint join q x on x.ts = q.ts + {horizon} * 1000000000::bigint
order by q.ts
"""
"""The same by joins on time."""
