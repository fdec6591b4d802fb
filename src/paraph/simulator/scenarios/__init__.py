"""Scenarios: scripts of steps with waits and expectations, read from and written to TOML files."""
