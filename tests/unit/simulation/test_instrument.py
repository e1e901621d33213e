"""The simulated instrument and the frames that name it agree."""

import subprocess
import sys

import orjson

from ml.core.instruments import to_units
from ml.market.venues.dialects import route
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import Alpha
from ml.simulation.publish import frames
from ml.simulation.venue import Market, simulate


def test_its_frames_are_routed_to_it_and_lie_on_its_grid():
    """Venue, symbol and decimals of every frame are the listed ones; prices use each step of the tick."""
    ticks = set()
    for _, text in frames(simulate(Market(2, 30, Alpha(0.0))), 1_741_000_000 * 10**9, 1):
        doc = orjson.loads(text)
        if "stream" not in doc:
            continue
        assert ".".join(route(doc, "")) == INSTRUMENT.id
        for price, size in doc["data"].get("b", []):
            ticks.add(to_units(price, INSTRUMENT.price_decimals) // INSTRUMENT.tick)
            assert to_units(size, INSTRUMENT.size_decimals) % INSTRUMENT.lot == 0
    assert {tick % 2 for tick in ticks} == {0, 1}


def test_naming_it_compiles_nothing():
    """The definitions load it at import; neither numba nor the market may come along."""
    code = "import sys, ml.simulation.instrument; print('numba' in sys.modules or 'ml.simulation.venue' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
