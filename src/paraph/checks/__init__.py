"""Attacks on any OAuth app, over HTTP alone, with a simulated Zoom behind it."""
