"""A small host product, and the composition of simulator, service and host."""
