"""`lobforge models challenge`: a version is tried beside the champion.

Here: the command and its outputs.
Not here: how it takes effect (`ml.promotion.registry`), what follows (`ml.promotion.life`).
"""

import json

from cli.options import AsJson, ModelName, Version, Who, Why, registry_of, user


def main(name: ModelName, version: Version, who: Who = None, why: Why = "", as_json: AsJson = False) -> int:
    """Let a version challenge the champion: it scores every row in shadow, then the policy decides.

    Returns 0, or 2 if nothing was changed: the version is unknown, retired or champion, or another one is tried.
    """
    record = registry_of(name).challenge(version, who or user(), why)
    document = {"model": name, "version": record["mlflow_version"], "challenger": record["candidate"]}
    if as_json:
        print(json.dumps(document | {"champion": record["champion_before"], "record": record["hash"]}))
    else:
        print(f"{name}: version {version} (model {document['challenger']}) is in shadow, record {record['hash'][:16]}")
    return 0
