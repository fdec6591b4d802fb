"""Operator pages: what a person signed in to the private side can see and do."""
