"""`lobforge decisions show`: one decision with its evidence.

Here: the command and its outputs.
Not here: what a record means (`ml.promotion.explained`), its page (`live.pages`).
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, registry_of
from ml.core.paths import DEFAULT_EXPERIMENT
from ml.storage.durable import write_text


def main(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="Number of the decision, or digits of its hash.")],
    name: Annotated[
        str, typer.Option("--experiment", metavar="NAME", help="The experiment whose models it is about.")
    ] = DEFAULT_EXPERIMENT,
    html: Annotated[
        bool, typer.Option("--html", help="One page that needs no other file, on standard output.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page to a file.")] = None,
    as_json: AsJson = False,
) -> int:
    """Show one decision with its evidence, also as a page for the browser.

    Returns 0, or 2 if there is no such decision, or a record was changed.
    """
    from ml.promotion.explained import OUTCOMES, explain, find

    root = registry_of(name).root
    record = find(root, name, wanted)
    found = explain(root, name, record)
    if html or out is not None:
        from live.pages import decision as page
        from ml.plotting.lifecycle import gains

        text = page(found.as_dict(), OUTCOMES, gains(found.looks) if found.looks else None)
        if out is None:
            print(text)
            return 0
        write_text(out, text)
    if as_json:
        print(json.dumps(record))
        return 0
    print(f"decision {record['number']} on {name}: {record['decision']}, model {record['candidate'] or 'none'}")
    print(found.means)
    for sentence in found.summary:
        print(f"  {sentence}")
    for gate in found.gates:
        value = "unknown" if gate["value"] is None else f"{gate['value']:.4g}"
        print(f"  {gate['name']:<14} {OUTCOMES[gate['outcome']]:<13} {value:>10}  {gate['detail']}")
    print(f"record {record['hash']}; {found.chain}")
    print(f"page: {out}" if out else "--html prints the page, --json the record.")
    return 0
