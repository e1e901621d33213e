"""What to read of the feature store.

Here: the query, and the files that it needs.
Not here: reading them (`ml.feature_store.rows`).
"""

from dataclasses import dataclass

from ml.core.errors import DatasetError
from ml.core.paths import FEATURE_GROUP, FEATURE_GROUPS, DataRoot, partition_of
from ml.storage.commit import Entry, manifest, require_current


@dataclass(frozen=True)
class Query:
    """What to read.

    Args:
        group: one of `ml.core.paths.FEATURE_GROUPS`.
        start: first UTC date (YYYY-MM-DD), None is open.
        end: last UTC date, None is open.
        instruments: ids; none means all.
        columns: besides instrument and ts; none means all.
        known_by: ns UTC; no later row, and no label that was known later. None: everything.
    """

    group: str = FEATURE_GROUP
    start: str | None = None
    end: str | None = None
    instruments: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    known_by: int | None = None

    def entries(self, root: DataRoot) -> list[Entry]:
        """The published files that the query needs, sorted by path.

        Raises:
            DatasetError: the group is unknown, or no file matches.
            StoreError: older code made some of them.
        """
        if self.group not in FEATURE_GROUPS:
            raise DatasetError(f"Unknown feature group {self.group!r}. Available: {', '.join(FEATURE_GROUPS)}.")
        found = [entry for path, entry in sorted(manifest(root, self.group).items()) if self._holds(path)]
        if not found:
            raise DatasetError(
                f"No file of {self.group} matches {self}. Materialize the partitions, or widen the query."
            )
        require_current(self.group, found)
        return found

    def _holds(self, path: str) -> bool:
        _, day, instrument = partition_of(path)
        inside = (self.start is None or day >= self.start) and (self.end is None or day <= self.end)
        return inside and (not self.instruments or instrument in self.instruments)
