"""The size scale S: the running median of the best sizes of both sides, sampled each second. All compiled.

Here: the median over a ring of samples, on a scale of 32 steps per doubling.
Not here: when it is sampled, and what is large against it (`ml.layering.clusters`, `ml.features.pressure.kernel`).
"""

from typing import NamedTuple

import numpy as np

from ml.market.book.compiled import njit_inline, njit_no_alloc
from ml.market.book.layout import I64

SECONDS = 1800
NEEDS = 60
"""S is the median over so many seconds; it needs so many."""
BINS = 2048
SAMPLES, SIZE = range(2)
"""Slots of `meta`: sizes taken since the last reset; S, 0 while it is unknown."""


class Scale(NamedTuple):
    """Best sizes of the last half hour: `histogram` i64 (BINS), `ring` i64 (2 x SECONDS) of bins, `meta` i64."""

    histogram: I64
    ring: I64
    meta: I64


def empty_scale() -> Scale:
    """A scale that has seen nothing."""
    return Scale(np.zeros(BINS, np.int64), np.zeros(2 * SECONDS, np.int64), np.zeros(2, np.int64))


@njit_inline
def add(scale: Scale, size: int) -> None:
    """Take one best size; `settle` computes S."""
    power = 0
    while size >> (power + 1) > 0:
        power += 1
    part = (size >> (power - 5) if power >= 5 else size << (5 - power)) & 31
    k = scale.meta[SAMPLES] % scale.ring.size
    if scale.meta[SAMPLES] >= scale.ring.size:
        scale.histogram[scale.ring[k]] -= 1
    scale.ring[k] = 32 * power + part
    scale.histogram[32 * power + part] += 1
    scale.meta[SAMPLES] += 1


@njit_no_alloc
def settle(scale: Scale) -> None:
    """S: the median of the sampled sizes, to 1 in 64."""
    count = min(scale.meta[SAMPLES], scale.ring.size)
    if count < 2 * NEEDS:
        scale.meta[SIZE] = 0
        return
    seen = 0
    k = -1
    while 2 * seen < count:
        k += 1
        seen += scale.histogram[k]
    scale.meta[SIZE] = max(((2 * (32 + k % 32) + 1) << (k // 32)) >> 6, 1)


@njit_no_alloc
def forget(scale: Scale) -> None:
    """After a reset S is unknown until it was sampled long enough."""
    for k in range(BINS):
        scale.histogram[k] = 0
    scale.meta[SAMPLES] = 0
    scale.meta[SIZE] = 0


@njit_no_alloc
def seed(scale: Scale, sizes: I64) -> None:
    """Take best sizes i64 (seconds, 2) of the time before the first event, oldest first."""
    for k in range(sizes.shape[0]):
        add(scale, sizes[k, 0])
        add(scale, sizes[k, 1])
    settle(scale)
