"""Explanations of captured requests: reading a capture, and judging it step by step."""
