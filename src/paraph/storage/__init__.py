"""Stored records, the key ring, and the database."""
