"""Files that can be trusted: the commit protocol, repair, verification, backup, decision records and views."""
