"""One store for each kind of record: its statements, inside a transaction that is handed in."""
