"""`lobforge features`: its three commands.

Here: the list of them.
Not here: what they do (one module each).
"""

from cli.lazy import Entry, group

COMMANDS = {
    "list": Entry("cli.features_list", "List every feature set with the unit, window and formula of each column."),
    "make": Entry("cli.features_make", "Make features and labels directly from capture files, without a data root."),
    "read": Entry("cli.features_read", "Read rows of the feature store as they were known at a time, or the newest."),
}

app = group(COMMANDS, "List feature sets, make features from capture files, read the feature store.")
