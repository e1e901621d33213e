"""From evidence to a decision in force: the registry and the deployment of a champion."""
