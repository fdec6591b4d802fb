"""Management commands of the integration."""
