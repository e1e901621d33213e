"""The kinds of models that the registry keeps: how each is read back, and how it is tried before it serves.

Here: the kind of each name.
Not here: the registry (`ml.promotion.registry`), the models (`ml.learning.models.trained`, `ml.layering.adaptive`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ml.core.paths import LAYERING_MODEL


class Kind(NamedTuple):
    """A kind of model; `fits` and `smoke_test` raise ModelRefused where it must not serve."""

    load: Callable[[Path], Any]
    fits: Callable[[Any], None]
    smoke_test: Callable[[Any], None]


def kind_of(name: str) -> Kind:
    """The kind of the models of a name: of layering cues, or the direction models of an experiment."""
    if name == LAYERING_MODEL:
        from ml.layering import adaptive

        return Kind(adaptive.load, adaptive.fits, adaptive.smoke_test)
    from ml.learning.models import trained

    return Kind(trained.load, trained.fits, trained.smoke_test)
