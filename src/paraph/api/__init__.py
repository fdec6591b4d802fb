"""The management API, /v1, for the host's backend."""
