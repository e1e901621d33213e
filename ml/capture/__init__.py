"""Recording a venue without silent losses: connections, journal, sealing, monitoring."""
