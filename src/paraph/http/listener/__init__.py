"""A listening socket and its connections: their number, their limits, and how they are closed."""
