"""Outgoing connections: their proxy, their certificate authorities, and the causes of failures.

These rules apply to all connections to other services. Such services are Zoom, the host product,
the key service and, for the client, the management API.
"""
