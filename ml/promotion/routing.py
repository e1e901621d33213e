"""Which of two models serves a row: the split of the traffic.

Here: the hash by instrument and 10-minute bucket.
Not here: how large the share is (`ml.core.config.LifecyclePlan`), the models (`ml.promotion.serving`).

A bucket goes to one model as a whole, so that no position is opened by one and closed by the other, and the answer
depends on nothing but its arguments: a replay, a restart and a second process route alike.
"""

import hashlib

from ml.core.time import MINUTE

BUCKET_NS = 10 * MINUTE


def to_challenger(instrument: str, ts: int, salt: str, share: float) -> bool:
    """Whether the challenger serves the row of an instrument at a time (ns UTC), for a share of 0 to 1."""
    digest = hashlib.sha256(f"{salt}|{instrument}|{ts // BUCKET_NS}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2.0**64


def salt_of(salt: str, challenger: str) -> str:
    """The salt of one challenge: two challenges do not share their buckets."""
    return f"{salt}|{challenger}"
