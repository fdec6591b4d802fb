"""The install flow as a library, for products that keep their own sessions and tables."""
