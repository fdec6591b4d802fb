"""The composition root: it builds the service from its settings, and runs both listeners."""
