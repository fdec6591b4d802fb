"""The service inside another application: its place, its lifetime, and its built-in pages."""
