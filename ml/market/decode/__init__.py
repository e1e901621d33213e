"""From raw frames to events of one instrument; every gap in the update ids is recorded."""
