"""`lobforge layering`: its commands.

Here: the list of them.
Not here: what they do (one module each).
"""

from cli.lazy import Entry, group

COMMANDS = {
    "scan": Entry("cli.layering_scan", "Find cues of layering in capture files, without a data root."),
    "calibrate": Entry(
        "cli.layering_calibrate",
        "Fix the threshold of each instrument of the data root, from ordinary flow of its own.",
    ),
    "demo": Entry(
        "cli.layering_demo",
        "Go from captures with planted episodes to a registered model of cues, on a data root of its own.",
    ),
    "train": Entry(
        "cli.layering_train",
        "Train a model on the labelled cues of the data root, and decide whether it becomes champion.",
    ),
    "benchmark": Entry(
        "cli.layering_benchmark", "Measure recall, false alarms, precision and delay on simulated markets."
    ),
    "build": Entry(
        "cli.layering_build",
        "Train the scorer that ships, on the simulated market alone; the same arguments give the same files.",
    ),
    "label": Entry(
        "cli.layering_label", "Vote on a cue, or take a vote back: accept, reject, unsure, undo.", attribute="label"
    ),
    "export": Entry("cli.layering_label", "Write every vote on cues as CSV.", attribute="export"),
    "import": Entry("cli.layering_label", "Add the votes of a CSV; invalid rows are told by line.", attribute="load"),
    "evidence": Entry(
        "cli.layering_evidence", "Show what was stored around a cue and why it has its score.", attribute="evidence"
    ),
    "review": Entry(
        "cli.layering_review", "Serve the page on which people review cues, and the label API.", attribute="review"
    ),
    "plant": Entry("cli.layering_plant", "Write a copy of a capture file with planted episodes, and what was planted."),
    "facts": Entry(
        "cli.layering_facts",
        "Show stylised facts of the simulated exchange, or of captures, beside the bands that a simulation must meet.",
    ),
}

app = group(COMMANDS, "Cues of layering in order books, and episodes to test detectors with.")
