"""Carries verified deliveries to the host: inbox, dispatch, forwarding."""
