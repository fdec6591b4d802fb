"""Encryption of stored values: the key ring, and the sealed columns of a row."""
