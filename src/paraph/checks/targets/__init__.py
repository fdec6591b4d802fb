"""Paraph's own service behind a small host product, as a target of the check."""
