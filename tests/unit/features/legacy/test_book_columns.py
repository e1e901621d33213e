"""What the table says of the order book columns."""

from ml.features.legacy.book_columns import ORDERBOOK
from ml.features.legacy.feature import DEEP, LOOP, STEP


def test_snapshots_say_how_far_they_look_back():
    """Twenty snapshots three seconds apart span 57 seconds: 58 samples."""
    needs = {column.id: column.needs for column in ORDERBOOK}
    assert needs["volume_delta_5"] == STEP + 1
    assert (needs["kyle_lambda"], needs["roll_spread"], needs["trade_arrival_rate"]) == (28, 58, 60)
    assert all(column.look_back == column.needs for column in ORDERBOOK)


def test_what_cannot_be_had_says_why():
    """More levels than a sample holds, or the pace of a loop."""
    absent = {column.id: column.absent for column in ORDERBOOK if column.absent}
    assert set(absent.values()) == {DEEP, LOOP}
    assert len(absent) == 20
    assert {name for name, why in absent.items() if why == LOOP} == {"update_frequency", "quote_intensity"}
