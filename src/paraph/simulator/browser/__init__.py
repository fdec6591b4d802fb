"""A browser for tests, with a browser's rules for cookies, addresses and forms."""
