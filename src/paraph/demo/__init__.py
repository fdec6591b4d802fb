"""The demo: a small host product, composed with the simulator and the service."""
