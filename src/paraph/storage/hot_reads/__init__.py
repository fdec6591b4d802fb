"""Reads on hot paths: batched, on a connection of their own, outside transactions."""
