"""`lobforge layering facts [FILE...]`: stylised facts of the simulated exchange, or of captures, beside the bands.

Here: the command and its two outputs.
Not here: what is measured (`ml.simulation.stylised`, `ml.layering.cluster_facts`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from cli.console import show_table
from cli.options import AsJson
from cli.progress import say
from ml.core import kernel_cache
from ml.core.errors import CaptureError

if TYPE_CHECKING:
    from ml.layering.finder import Flow
    from ml.simulation.stylised import Band

START_NS = 1_735_689_600 * 10**9


def main(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Capture files of one instrument; without one the exchange is simulated."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Simulated markets, of which the mean is shown.")] = 4,
    minutes: Annotated[int, typer.Option(min=2, help="Length of each simulated market.")] = 30,
    as_json: AsJson = False,
) -> int:
    """Show stylised facts of the simulated exchange, or of captures, beside the bands that a simulation must meet.

    Returns 0, 1 if a fact of the simulated exchange lies outside its band.
    """
    from ml.layering import cluster_facts
    from ml.simulation import stylised

    say(kernel_cache.notice())
    facts = _captured(files) if files else _simulated(seeds, minutes)
    rows = [*stylised.compare(facts), *cluster_facts.compare(facts)]
    if as_json:
        documents = [_as_dict(band, value, holds) for band, value, holds in rows]
        print(orjson.dumps({"facts": documents}, option=orjson.OPT_INDENT_2).decode())
    else:
        table = [
            [band.fact, *(f"{v:.4g}" for v in (value, band.reference, band.low, band.high)), "" if holds else "outside"]
            for band, value, holds in rows
        ]
        show_table("stylised facts", ["fact", "measured", "recorded", "from", "to", ""], table)
    return 0 if files or all(holds for _, _, holds in rows) else 1


def _as_dict(band: "Band", value: float, holds: bool) -> dict[str, object]:
    return {
        "fact": band.fact,
        "measured": value,
        "recorded": band.reference,
        "low": band.low,
        "high": band.high,
        "holds": bool(holds),
    }


def _simulated(seeds: int, minutes: int) -> dict[str, float]:
    """The mean of each fact over markets of the first seeds."""
    from ml.layering.finder import Flow
    from ml.simulation.exchange import Exchange, run
    from ml.simulation.instrument import INSTRUMENT

    found: list[dict[str, float]] = []
    for seed in range(1, seeds + 1):
        market = run(Exchange(seed, minutes * 60), START_NS)
        found.append(_measured(Flow(INSTRUMENT, market.books, market.trades)))
    return {name: sum(facts[name] for facts in found) / seeds for name in found[0]}


def _captured(files: list[Path]) -> dict[str, float]:
    from ml.layering.finder import Flow
    from ml.market.days.infer_instrument import infer_instrument
    from ml.market.files import captures, index
    from ml.market.files.capture_sequence import link
    from ml.simulation.plant_files import read_events

    chain = link(captures.expand(files), lambda path: index.scan(path)[0])
    names = chain.instruments()
    if len(names) != 1:
        raise CaptureError(f"The captures hold {', '.join(names)}. Name captures of one instrument.")
    instrument = infer_instrument(chain, names[0])
    books, trades = read_events(chain, instrument)
    if len(books.ts) == 0 or len(trades.ts) == 0:
        raise CaptureError(f"{names[0]}: the captures hold no book, or no trades. Name captures of both.")
    return _measured(Flow(instrument, books, trades))


def _measured(flow: "Flow") -> dict[str, float]:
    from ml.layering import cluster_facts
    from ml.simulation import stylised

    return stylised.measure(flow.books, flow.trades, flow.instrument) | cluster_facts.measure(flow)
