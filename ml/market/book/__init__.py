"""The order book and its sample grid: ladder, flows, kernel, sampler. All state is arrays."""
