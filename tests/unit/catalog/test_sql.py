"""A foreign SELECT: it reads the tables of one instrument, and can do nothing else."""

from time import monotonic

import pytest

from ml.catalog.sql import select
from ml.core.errors import DatasetError
from tests.support.scenario import INSTRUMENT


def ask(root, query, **limits):
    return select(root, INSTRUMENT, query, **limits)


def test_prices_are_decimals_and_rows_are_limited(ingested):
    found = ask(ingested, "select ts, bid_price_1 from book_samples where bid_price_1 > 0 order by ts", rows=3)
    assert found.columns == ["ts", "bid_price_1"]
    assert (len(found.rows), found.more) == (3, True)
    assert all(price == round(price, 1) for _, price in found.rows)
    assert ask(ingested, "select count(*) from trades").more is False


@pytest.mark.parametrize(
    "query",
    [
        "copy (select 1) to '{out}'",
        "select 1; select 2",
        "create table t as select 1",
        "attach '{out}' as other",
        "set enable_external_access = true",
        "",
    ],
)
def test_only_one_select_is_run(ingested, tmp_path, query):
    with pytest.raises(DatasetError, match="must be one SELECT"):
        ask(ingested, query.format(out=tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reader", ["read_text", "read_csv", "read_blob", "read_parquet"])
def test_no_other_file_is_read(ingested, tmp_path, reader):
    """Neither one elsewhere nor one of the data root that is no table: there lie the hashes of API keys."""
    for path in (tmp_path / "secret.csv", ingested.config):
        if path != ingested.config:
            path.write_text("a\n1\n")
        with pytest.raises(DatasetError, match="Permission Error"):
            ask(ingested, f"select * from {reader}('{path}')")  # noqa: S608 - that is the point


def test_a_query_that_takes_too_long_ends(ingested):
    begun = monotonic()
    with pytest.raises(DatasetError, match=r"more than 0\.2 s"):
        ask(ingested, "select sum(a.range * b.range) from range(10000000) a, range(10000000) b", seconds=0.2)
    assert monotonic() - begun < 60


def test_what_cannot_be_parsed_or_found_is_said(ingested):
    with pytest.raises(DatasetError, match="cannot be parsed"):
        ask(ingested, "selec 1")
    with pytest.raises(DatasetError, match="nothing_like_it"):
        ask(ingested, "select * from nothing_like_it")
