"""`lobforge layering`: its commands.

Here: the list of them.
Not here: what they do (one module each).
"""

from cli.lazy import Entry, group

COMMANDS = {
    "plant": Entry("cli.layering_plant", "Write a copy of a capture file with planted episodes, and what was planted."),
}

app = group(COMMANDS, "Cues of layering in order books, and episodes to test detectors with.")
