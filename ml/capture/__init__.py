"""Recording what venues send, so that nothing is lost in silence: connections, journal, sealing, monitoring."""
