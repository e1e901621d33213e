"""Turns the exceptions of parsers on invalid values into quarantine reasons.

It contains the guard around every parser, and the check that whole numbers fit the tables. Formats belong to
`ml.market.venues` and `ml.market.files.archives`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from ml.core.errors import FrameError

UNFIT = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, ArithmeticError)
"""What reading a number or a time out of anything at all may raise."""
LARGEST = 1 << 62
P = ParamSpec("P")
R = TypeVar("R")


def guarded(parser: Callable[P, R]) -> Callable[P, R]:
    """Have a parser raise `bad_frame` for a field that is missing or of the wrong type."""

    @wraps(parser)
    def guard(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return parser(*args, **kwargs)
        except UNFIT as error:
            raise invalid(error) from error

    return guard


def invalid(error: Exception) -> FrameError:
    """The reason for quarantining what raised an error."""
    if isinstance(error, FrameError):
        return error
    unknown = isinstance(error, KeyError)
    return FrameError("bad_frame", f"{error} is missing or unknown" if unknown else f"a field is malformed: {error}")


def whole(value: Any) -> int:
    """An update id.

    Raises:
        ValueError: it does not fit 64 bits.
    """
    number = int(value)
    if abs(number) > LARGEST:
        raise ValueError(f"{value} does not fit 64 bits")
    return number
