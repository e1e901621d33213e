"""What users of the predecessor bots have on disk, brought into current tables."""
