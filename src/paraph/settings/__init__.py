"""The settings of a service: where they come from, their types, and every rule they must meet."""
