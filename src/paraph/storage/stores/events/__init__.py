"""Events in the database: kept, claimed, ended, read by operators, and deleted."""
