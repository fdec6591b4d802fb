"""Routes that are served directly from the protocol, without ASGI, for speed alone."""
