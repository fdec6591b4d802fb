"""Operators' work on a running service: key rotation, backup, restore, receipts, housekeeping."""
