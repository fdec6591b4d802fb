"""Records that the service keeps (grants, links, events, ...) and the phases they pass through."""
