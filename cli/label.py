"""`lobforge label`: the labels of stored days recomputed; also under the predecessor's two script names.

Here: the commands and their output.
Not here: what is recomputed (`pipelines.labelling`).
"""

import json
from datetime import date
from typing import Annotated

import typer

from cli.options import AsJson, EndDate, Instruments, StartDate
from ml.core import settings
from ml.core.paths import FEATURE_GROUP, FEATURE_GROUPS, LEGACY_GROUP, DataRoot
from pipelines import labelling

FeatureGroup = Annotated[
    str, typer.Option("--feature-group", metavar="GROUP", help=f"One of {', '.join(FEATURE_GROUPS)}.")
]


def main(
    start_date: StartDate = None,
    end_date: EndDate = None,
    feature_group: FeatureGroup = FEATURE_GROUP,
    instrument: Instruments = None,
    as_json: AsJson = False,
) -> int:
    """Recompute the labels of stored days; only label columns change.

    Returns 0, 1 if other columns changed too, 2 if nothing could be labelled.
    """
    wanted = labelling.Range(_text(start_date), _text(end_date), tuple(instrument or ()))
    report = labelling.label(DataRoot(settings.load().data_root), feature_group, wanted)
    if as_json:
        print(json.dumps(report))
    else:
        for key, counts in report["partitions"].items():
            print(f"{key}: {counts}")
    return 1 if any(counts.get("changed_others") for counts in report["partitions"].values()) else 0


def preprocessing_add_future_labels(
    start_date: StartDate = None,
    end_date: EndDate = None,
    feature_group: FeatureGroup = LEGACY_GROUP,
    instrument: Instruments = None,
    as_json: AsJson = False,
) -> int:
    """Recompute the labels of migrated samples: `label` for the predecessor's arrays.

    Returns 0, 1 if other columns changed too, 2 if nothing could be labelled.
    """
    return main(start_date, end_date, feature_group, instrument, as_json)


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
