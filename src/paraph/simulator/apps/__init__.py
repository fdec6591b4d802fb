"""Apps at the simulated Marketplace: review, installation, Zoom Apps, deauthorization."""
