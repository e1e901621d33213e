"""`lobforge decisions`: its commands.

Here: the list of them.
Not here: what they do (one module each).
"""

from cli.lazy import Entry, group

COMMANDS = {
    "list": Entry("cli.decisions_list", "List every decision on an experiment's models."),
    "show": Entry("cli.decisions_show", "Show one decision with its evidence, also as a page for the browser."),
}

app = group(COMMANDS, "What was decided about models, when, by whom and on which evidence.")
