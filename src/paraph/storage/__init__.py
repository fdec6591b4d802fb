"""The database: transactions, their stores, the two engines, and backups."""
