"""The operator pages of the private listener, for people who are signed in."""
