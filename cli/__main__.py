"""The `lobforge` command: its commands by name, each imported when it is called.

Here: the list of commands.
Not here: what a command does (one module each).
"""

import logging
from collections.abc import Sequence
from typing import NoReturn

from typer.main import get_command

from cli.lazy import Entry, group

DATA = "Data"
FEATURES = "Features"
MODELS = "Models"
OPERATIONS = "Operations"
PREDECESSOR = ""
"""Script names of the predecessor, which are called but not listed."""
COMMANDS = {
    "capture": Entry("cli.capture", "Record what a venue sends.", DATA),
    "inspect": Entry("cli.inspect", "Replay capture files without storing anything, and show what is in them.", DATA),
    "fetch": Entry("cli.fetch", "Fetch the files of public archives that are missing.", DATA),
    "candles": Entry(
        "cli.candles", "Fetch the venue's candles that are missing, and compare ours from trades with them.", DATA
    ),
    "gaps": Entry(
        "cli.gaps", "Show the share of each day in which the book was known, and every gap with its reason.", DATA
    ),
    "migrate": Entry(
        "cli.migrate",
        "Convert the predecessor's .npy, .json and parquet files into tables; the files stay as they are.",
        DATA,
    ),
    "features": Entry(
        "cli.features",
        "List feature sets, make features from capture files, read the feature store.",
        FEATURES,
        attribute="app",
    ),
    "layering": Entry(
        "cli.layering", "Cues of layering in order books, and episodes to test detectors with.", MODELS, attribute="app"
    ),
    "label": Entry("cli.label", "Recompute the labels of stored days; only label columns change.", FEATURES),
    "demo": Entry(
        "cli.demo", "Run the whole graph on a simulated market or on your captures, and show the decision.", MODELS
    ),
    "live": Entry(
        "cli.live",
        "Run the promoted model on a stream of frames, one by one, and compare its features with the stored ones.",
        MODELS,
    ),
    "signals": Entry(
        "cli.signals", "Say at each step what the promoted models predict for every captured instrument.", MODELS
    ),
    "serve": Entry(
        "cli.serve",
        "Answer predictions of the promoted models over HTTP, on the loopback interface, until it is stopped.",
        MODELS,
    ),
    "models": Entry(
        "cli.models",
        "List and compare models, promote one, go back to an earlier version, retire one.",
        MODELS,
        attribute="app",
    ),
    "decisions": Entry(
        "cli.decisions",
        "What was decided about models, when, by whom and on which evidence.",
        MODELS,
        attribute="app",
    ),
    "lifecycle": Entry(
        "cli.lifecycle", "How a model becomes champion, and how it is rolled back.", MODELS, attribute="app"
    ),
    "init": Entry("cli.init", "Create or repair the data root, the Dagster instance and the model store.", OPERATIONS),
    "doctor": Entry("cli.doctor", "Say what is wrong with the data root, and how to fix it.", OPERATIONS),
    "ui": Entry("cli.ui", "Start the Dagster web server and daemon on the data root's instance.", OPERATIONS),
    "key": Entry(
        "cli.key",
        "Make, list and revoke API keys of those who may vote or train over HTTP.",
        OPERATIONS,
        attribute="app",
    ),
    "mcp": Entry(
        "cli.mcp",
        "Serve the data root to an MCP client over standard input and output, until the client leaves.",
        OPERATIONS,
    ),
    "verify": Entry("cli.verify", "Check every stored file and every decision against what was recorded.", OPERATIONS),
    "backup": Entry("cli.backup", "Copy the data root while writers run.", OPERATIONS),
    "restore": Entry("cli.restore", "Copy a backup into an empty data root and verify it.", OPERATIONS),
    "migrate_legacy_to_parquet": Entry(
        "cli.migrate",
        "Convert the predecessor's files: `migrate`, by default of those in the data root.",
        PREDECESSOR,
        attribute="migrate_legacy_to_parquet",
    ),
    "preprocessing_add_future_labels": Entry(
        "cli.label",
        "Recompute the labels of migrated samples: `label` for the predecessor's arrays.",
        PREDECESSOR,
        attribute="preprocessing_add_future_labels",
    ),
    "preprocessing_add_future_labels_parquet": Entry(
        "cli.label", "Recompute the labels of stored days; only label columns change.", PREDECESSOR
    ),
}

app = group(
    COMMANDS,
    "From raw limit-order-book captures to promoted models.",
    "The script names of the predecessor work as commands too: "
    + ", ".join(name for name, entry in COMMANDS.items() if entry.panel == PREDECESSOR),
    completion=True,
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with 0, 1 (something was quarantined or differs) or 2 (nothing could be done)."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    get_command(app)(arguments, prog_name="lobforge")
    raise AssertionError("Typer leaves by itself")


if __name__ == "__main__":
    main()
