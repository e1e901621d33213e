"""The `lobforge` command: finds a verb by name and runs it.

Here: the dispatcher. Verbs are entry points of the group `lobforge.verbs`, so no room imports another to be found.
Not here: any verb.
"""

import sys
from importlib.metadata import entry_points


def main() -> int:
    """Run `lobforge VERB ...` and return 0, 1 (something was quarantined) or 2 (nothing could be done)."""
    verbs = {entry.name: entry for entry in entry_points(group="lobforge.verbs")}
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: lobforge VERB [OPTION...]\nverbs: " + ", ".join(sorted(verbs)))
        return 0 if arguments else 2
    if arguments[0] not in verbs:
        print(f"error: no verb {arguments[0]!r}; there are {', '.join(sorted(verbs))}", file=sys.stderr)
        return 2
    return verbs[arguments[0]].load()(arguments[1:])


if __name__ == "__main__":
    sys.exit(main())
