"""Explanations of captured requests: reading a capture, and checking it step by step."""
