"""Schema steps, applied by `paraph.storage.schema`. Expanding ones run at start, under a lock."""
