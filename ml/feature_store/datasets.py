"""Datasets that are kept: the rows of a query as a file, named by a hash of what they were made of.

Here: keeping and loading one.
Not here: the panel that models train on (`ml.learning.dataset`).
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

import polars as pl

from ml.core.paths import DataRoot
from ml.feature_store.query import Query
from ml.feature_store.rows import polars
from ml.storage.commit import load, publish
from ml.storage.durable import write_text

TABLE = "datasets"


def keep(root: DataRoot, query: Query) -> dict[str, Any]:
    """Keep the rows of a query as a file named by an id, and return what it was made of.

    The id is a hash of the query and of the files' content: the same id is the same bytes, on any machine.
    """
    entries = query.entries(root)
    asked = json.loads(json.dumps(asdict(query)))
    files = [{"path": entry.path, "sha256": entry.sha256, "rows": entry.rows} for entry in entries]
    identity = hashlib.sha256(json.dumps([asked, files], sort_keys=True).encode()).hexdigest()[:16]
    path = root.table(TABLE) / f"{identity}.parquet"
    entry = publish(root, TABLE, path, polars(root, query), "")
    document = {"id": identity, "query": asked, "files": files, "rows": entry.rows, "sha256": entry.sha256}
    text = json.dumps(document, indent=1, sort_keys=True)
    home = root.dataset(identity)
    if not home.exists() or home.read_text() != text:
        write_text(home, text)
    return document


def kept(root: DataRoot, identity: str) -> pl.DataFrame:
    """The rows of a kept dataset, with every checksum verified.

    Raises:
        StoreError: there is none of that id, or it is damaged.
    """
    return load(root.table(TABLE) / f"{identity}.parquet")
