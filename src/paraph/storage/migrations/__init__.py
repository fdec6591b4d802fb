"""Schema steps, applied by `paraph.storage.schema`: expanding ones at start, under a lock."""
