"""How many examples a costly property test draws: few in `make test`, many where new ones are looked for."""

from hypothesis import settings


def examples(few: int, many: int) -> int:
    """`few`, or `many` with `--hypothesis-profile explore`."""
    return many if settings.get_current_profile_name() == "explore" else few
