"""Symbols and file names: whatever a venue lists, in every reader, as programs that download write them."""

from urllib.parse import quote

import pytest

from ml.market.files.index import scan
from tests.unit.market.files.archives.files import packed, refused

CHINESE = "币安人生USDT"
MS = 1_760_918_400_000
AGG = f"agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n1,2,3,4,4,{MS},true\n"
TRADES = f"1,100,1,100,{MS},true\n"
SPOT = f"id,timestamp,price,volume,side\n1,{MS},100,1,buy\n"
TRADING = (
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional\n"
    "1760918400.1234,{},Buy,1,100,PlusTick,x,1,1,100\n"
)
TARDIS = f"exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n{{}},{MS}000,{MS}100,1,buy,100,1\n"
EXPLODED = (
    "TimestampOfReceive,Stream,EventType,EventTime,TransactionTime,Symbol,TradeId,Price,Quantity,IsBuyerMarketMaker,"
    f"MUnknownParameter\n{MS}001,{CHINESE.lower()}@trade,trade,{MS},{MS},{CHINESE},1,100,1,0,True\n"
)
UPDATES = "side,price,size,time\nbuy,99,1,2025-10-20T00:00:00.202Z\n"
OB = (
    f'{{"topic":"orderbook.200.{CHINESE}","type":"snapshot","ts":{MS},"data":{{"s":"{CHINESE}","b":[["99","1"]],'
    f'"a":[["101","1"]],"u":2,"seq":1}},"cts":{MS}}}\n'
)
FILES = [
    (f"um/{CHINESE}-aggTrades-2025-10-20.csv", AGG, f"binance-usdm.{CHINESE}"),
    (f"spot/{CHINESE}-trades-2025-10-20.zip", TRADES, f"binance-spot.{CHINESE}"),
    (f"um/{CHINESE}-1m-2025-10-20.csv", f"{MS},1,2,1,2,9,{MS + 59_999},9,9,9,9,0\n", f"binance-usdm.{CHINESE}"),
    (f"{CHINESE}_2025-10-20.csv.gz", SPOT, f"bybit-spot.{CHINESE}"),
    (f"{CHINESE}-2025-10.csv.gz", SPOT, f"bybit-spot.{CHINESE}"),
    (f"{CHINESE}2025-10-20.csv.gz", TRADING.format(CHINESE), f"bybit-linear.{CHINESE}"),
    ("x.csv", TRADING.format("币安USD"), "bybit-inverse.币安USD"),
    (f"linear/2025-10-20_{CHINESE}_ob200.data.zip", OB, f"bybit-linear.{CHINESE}"),
    ("x.csv.gz", TARDIS.format(f"binance-futures,{CHINESE}"), f"binance-usdm.{CHINESE}"),
    ("x.csv.gz", TARDIS.format("bybit,1000PEPEUSDT"), "bybit-linear.1000PEPEUSDT"),
    ("x.csv", EXPLODED, f"binance-spot.{CHINESE}"),
    ("1inchusd_20251020_l2update.csv", UPDATES, "coinbase-spot.1INCH-USD"),
    ("t-usd_20251020_l2update.csv", UPDATES, "coinbase-spot.T-USD"),
    ("renderusdc_20251020_l2update.csv", UPDATES, "coinbase-spot.RENDER-USDC"),
    ("ethbtc_20251020_l2update.csv", UPDATES, "coinbase-spot.ETH-BTC"),
    ("币安人生-USDT_20251020_l2update.csv", UPDATES, "coinbase-spot.币安人生-USDT"),
]


@pytest.mark.parametrize(("name", "text", "instrument"), FILES, ids=[f"{n}:{i}" for n, _, i in FILES])
@pytest.mark.parametrize("spelled", [str, quote], ids=["plain", "escaped"])
def test_any_symbol_is_read_from_every_archive(tmp_path, name, text, instrument, spelled):
    """Also where a program kept the escapes of the address in the file's name."""
    index, lines = scan(packed(tmp_path / spelled(name), text))
    assert (list(index.instruments), lines) == ([instrument], [])


@pytest.mark.parametrize("name", ["_20180424_x.csv", "btc_20180424_x.csv", "btcusd.csv", "-usd_20180424.csv"])
def test_a_name_without_a_product_says_how_to_name_the_file(tmp_path, name):
    """Base and quote are needed."""
    path = packed(tmp_path / name, UPDATES)
    assert refused(path) == ["no_symbol"]
    assert "BTC-USD_20180424" in scan(path)[1][0].error.detail
