"""The gap ledger by one DuckDB query over the raw ids: no parser, no state machine, no kernel.

Binance futures and the simulated venue: a diff follows if its `pu` is the `u` before it. Intervals of diffs that follow
one another are islands; in each the book is known from the first snapshot that one of its diffs straddles. It begins
at the largest `T` so far and ends at that of its diffs. What ids cannot show (a crossed or one-sided book) is not here.
"""

import duckdb
import polars as pl

QUERY = r"""
with frames as (
    select row_number() over (order by date, arrival) as n, decode(payload)::json as doc
    from read_parquet($files, hive_partitioning = true)
    where kind <> 'checkpoint'
), parsed as (
    select n, doc ->> '$.data.e' as e, (doc ->> '$.data.T')::bigint * 1000000 as ts, (doc ->> '$.data.u')::bigint as u,
        (doc ->> '$.data.pu')::bigint as pu, (doc ->> '$.lastUpdateId')::bigint as snapshot
    from frames
), timed as (
    select *, max(ts) filter (where e in ('depthUpdate', 'trade')) over (order by n) as clock
    from parsed
), fresh as (
    select * from timed where e = 'depthUpdate'
    qualify u > coalesce(max(u) over (order by n rows between unbounded preceding and 1 preceding), -1)
), chained as (
    select *, pu is distinct from lag(u) over (order by n) as breaks from fresh
), numbered as (
    select *, sum(breaks::int) over (order by n) as island from chained
), islands as (
    select island, max(n) as last, max(u) as from_id, max(ts) as end_ts from numbered group by island
), refused as (
    select island - 1 as island, n, pu as to_id from numbered where breaks
), anchors as (
    select d.island, greatest(s.n, d.n) as n
    from timed as s join numbered as d on s.snapshot between d.pu and d.u
    where not exists (from timed as t where t.snapshot is not null and t.n > s.n and t.n < d.n)
), known as (
    select islands.*, refused.to_id, min(anchors.n) as anchor
    from islands join anchors using (island) left join refused using (island)
    where refused.n is null or anchors.n < refused.n
    group by all
)
select
    greatest(end_ts, start_ts) as start,
    lead(start_ts) over (order by start_ts) as end,
    from_id,
    to_id,
    case when to_id is null then 'capture_end' else 'sequence_gap' end as reason,
    start_ts as known_from
from (select known.*, timed.clock as start_ts from known join timed on timed.n = known.anchor)
order by start
"""


SCHEMA = dict.fromkeys(("start", "end", "from_id", "to_id"), pl.Int64) | {"reason": pl.String, "known_from": pl.Int64}


def ledger(files: list[str]) -> pl.DataFrame:
    """Gaps of an instrument from the stored `raw_frames` of its days; `known_from`: where the interval before began."""
    with duckdb.connect() as connection:
        found = connection.execute(QUERY, {"files": files}).fetchall()
    return pl.DataFrame(found, schema=SCHEMA, orient="row")
