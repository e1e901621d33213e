"""`lobforge models`: its commands.

Here: the list of them.
Not here: what they do (one module each).
"""

from cli.lazy import Entry, group

COMMANDS = {
    "list": Entry("cli.models_list", "List the registered models by experiment, or the kinds of models there are."),
    "history": Entry("cli.models_history", "Show every decision on a model, or which version was champion at a time."),
    "rollback": Entry(
        "cli.models_rollback", "Make an earlier version champion again, after it has loaded and answered."
    ),
    "retire": Entry("cli.models_retire", "Take a version out of use for good."),
}

app = group(COMMANDS, "List models, show who was champion when, go back to an earlier version, retire one.")
