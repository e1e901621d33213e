"""The instrument that the simulated venue lists.

Here: its one constant, apart so that naming it compiles nothing.
"""

from ml.core.instruments import Instrument

INSTRUMENT = Instrument("sim.SIMUSDT", price_decimals=1, size_decimals=3, tick=1, lot=1)
