"""`lobforge models retire`: a version goes out of use.

Here: the command and its outputs.
Not here: how it takes effect (`ml.promotion.registry`).
"""

import json

from cli.options import AsJson, ModelName, Version, Who, Why, registry_of, user


def main(
    name: ModelName,
    version: Version,
    who: Who = None,
    why: Why = "",
    as_json: AsJson = False,
) -> int:
    """Take a version out of use for good: it can be neither promoted nor rolled back to.

    Returns 0, or 2 if nothing was changed: the version is unknown, champion or retired already.
    """
    record = registry_of(name).retire(version, who or user(), why)
    if as_json:
        print(json.dumps({"model": name, "version": version, "retired": record["candidate"], "record": record["hash"]}))
    else:
        print(f"{name}: version {version} (model {record['candidate']}) is retired, record {record['hash'][:16]}")
    return 0
