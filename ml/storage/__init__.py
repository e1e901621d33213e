"""Durable files: commit protocol, repair, verification, backup, decision records and views."""
