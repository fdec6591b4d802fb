"""A simulated Zoom on localhost. It shares no protocol code with the service."""
