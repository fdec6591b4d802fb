"""A small host product: a meeting counter with Zoom inside its own processes."""
