"""Every table that is stored, in one catalog.

Here: all specs by name, and the spec of a frame.
Add here: the specs of a module that has tables of its own.
Not here: the specs (`ml.tables.schemas`, `ml.features.tables`, `ml.labels.tables`, ...).
"""

from collections.abc import Sequence

from ml.core.errors import StoreError
from ml.evaluation import drift
from ml.features import tables as features
from ml.labels import tables as labels
from ml.layering import tables as layering
from ml.learning import tables as learning
from ml.legacy import columns as legacy
from ml.tables import schemas
from ml.tables.rules import Rule
from ml.tables.schemas import horizons_of
from ml.tables.spec import TableSpec

TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for module in (schemas, features, labels, learning, drift, legacy, layering)
    for spec in module.SPECS
}
RULES: dict[str, tuple[Rule, ...]] = {name: spec.rules for name, spec in TABLES.items() if spec.rules}
"""What each table's values must satisfy. A broken blocking rule stops what depends on the table; the others warn."""


def spec_of(table: str, columns: Sequence[str]) -> TableSpec:
    """The spec of a table with these columns, whose names tell the label horizons.

    Raises:
        StoreError: no table of that name is in the catalog.
    """
    if table not in TABLES:
        raise StoreError(
            f"{table}: the catalog has no such table. Write a TableSpec for it and add it to ml.catalog.tables."
        )
    return TABLES[table].with_horizons(horizons_of(columns))
