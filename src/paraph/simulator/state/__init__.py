"""State of the simulated Zoom: world, journal, tokens, devices, timers. No endpoint."""
