"""From a verified delivery to the host: inbox, dispatch, forwarding."""
