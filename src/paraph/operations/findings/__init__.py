"""Rules over facts of a set-up: each weakness with severity, cause, remedy and source."""
