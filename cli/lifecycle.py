"""`lobforge lifecycle`: its commands.

Here: the list of them.
Not here: what they do (one module each).
"""

from cli.lazy import Entry, group

COMMANDS = {
    "demo": Entry(
        "cli.lifecycle_demo",
        "Train, challenge, shadow, split, promote, break and roll back a model on a simulated market.",
    ),
}

app = group(COMMANDS, "How a model becomes champion, and how it is rolled back.")
