"""A Zoom on localhost. Shares no protocol code with the kit."""
