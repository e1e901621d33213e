"""One UTC day of one instrument: its frames, events, samples and validity."""
