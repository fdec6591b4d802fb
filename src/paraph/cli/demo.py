"""X."""


def demo() -> None:
    """X."""
