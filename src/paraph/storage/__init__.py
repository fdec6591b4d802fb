"""Records, the key ring, and the database behind protocols."""
