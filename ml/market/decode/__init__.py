"""From raw frames to events of one instrument, with every break of the update ids on record."""
