"""What everything else stands on: errors, settings, configuration, instruments, time, paths."""
