"""Apps that are attacked again and again: paraph's own service behind a small host product."""
