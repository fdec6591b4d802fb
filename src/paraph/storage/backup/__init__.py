"""Backups and removal receipts as files: written, authenticated, and read back."""
