"""Outgoing connections: through which proxy, with which certificate authorities, and why they fail.

All connections to other services follow these rules: to Zoom, to the host product, to the key
service, and from the client to the management API.
"""
