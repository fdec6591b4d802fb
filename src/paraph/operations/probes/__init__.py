"""Reads the facts of a set-up, and decides nothing about them."""
