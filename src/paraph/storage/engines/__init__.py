"""The two databases, SQLite and PostgreSQL: connections, transactions, kept events."""
