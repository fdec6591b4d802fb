"""paraph: act only on what really came from Zoom and from the right person, and prove it."""
