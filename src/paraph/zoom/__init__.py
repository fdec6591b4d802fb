"""Zoom's own formats, pure: webhooks, events, app contexts, API errors, manifests."""
