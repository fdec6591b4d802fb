"""paraph inside web frameworks: one thin module for each, above the service."""
