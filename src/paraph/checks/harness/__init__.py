"""Shared parts of the cases: browser, app process, recording Zoom proxy, install steps."""
