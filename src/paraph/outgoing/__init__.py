"""Outgoing connections: their proxy, their certificate authorities, and the causes of failures.

These rules apply to all connections to other services: to Zoom, to the host product, to the key
service, and from the client to the management API.
"""
