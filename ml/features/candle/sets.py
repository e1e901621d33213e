"""Named sets of candle features: which columns, in which order, under which hash.

Here: what a column and a set of candle features are.
Not here: the sets (`ml.features.candle.table`), sets over samples of the book (`ml.features.sets`).
"""

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Column:
    """One feature of a candle set.

    Args:
        id: name of the column.
        formula: o h l c v q = open high low close volume turnover, r = c / c_1 - 1, x_n = x n candles ago, mean / sd /
            sum / max / min over the last n candles, this one included.
        unit: unit of the value, `1` for a pure number, `quote` for a price.
        needs: candles in a row, this one included, on which the value depends; fewer give null, `warm_up`. For a
            recursive formula its settle time: what lies further back changes less than 1e-9.
    """

    id: str
    formula: str
    unit: str
    needs: int = 1


@dataclass(frozen=True)
class CandleSet:
    """A named, ordered choice of columns over candles of one length; every column is float64.

    Args:
        name: its name says how many columns it has.
        timeframe: length of the candles, one of `ml.candles.from_trades.TIMEFRAMES`.
        horizons: how far ahead the targets lie that the set was made for.
        columns: what the columns are.
        families: the family of each; a null reason covers a family.
    """

    name: str
    timeframe: str
    horizons: tuple[str, ...]
    columns: tuple[Column, ...]
    families: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return [column.id for column in self.columns]

    @property
    def look_back(self) -> int:
        """Candles in a row, the newest included, after which every column is known."""
        return max(column.needs for column in self.columns)

    @property
    def hash(self) -> str:
        """Hex sha256, 16 digits, over names, order, dtype, units, formulas, needs, and horizons."""
        meaning = [self.name, "float64", self.timeframe, self.horizons, self.families]
        text = json.dumps([meaning, [asdict(column) for column in self.columns]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
