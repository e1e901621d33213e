"""`lobforge models`: its commands.

Here: the list of them.
Not here: what they do (one module each).
"""

from cli.lazy import Entry, group

COMMANDS = {
    "list": Entry("cli.models_list", "List the registered models by experiment, or the kinds of models there are."),
    "champion": Entry("cli.models_champion", "Show which version is champion, or was at a time."),
    "decisions": Entry("cli.decisions_list", "List every decision on an experiment's models."),
    "compare": Entry("cli.models_compare", "Compare two versions on stored rows that neither was trained on."),
    "challenge": Entry("cli.models_challenge", "Let a version challenge the champion: it scores every row in shadow."),
    "promote": Entry("cli.models_promote", "Make a version champion by hand, after it has loaded and answered."),
    "rollback": Entry(
        "cli.models_rollback", "Make an earlier version champion again, after it has loaded and answered."
    ),
    "retire": Entry("cli.models_retire", "Take a version out of use for good."),
}

app = group(COMMANDS, "List and compare models, promote one, go back to an earlier version, retire one.")
