"""The URL of an SQLite database: `sqlite:///relative.db` or `sqlite:////absolute.db`.

No other module reads such a URL, so the checked file is the one that is opened. Nothing in the
path is decoded: a name with `%` or `#` is that name.
"""

from __future__ import annotations

from paraph.errors import ConfigurationError

PREFIX = "sqlite:///"


def parse_sqlite_url(database_url: str) -> str:
    """Return the path of the file, as it stands in the URL.

    Args:
        database_url: the URL. It may be another one with a password, so no problem repeats it.

    Raises:
        ConfigurationError: the URL names no file; the sentence follows the name of the setting.
    """
    path = database_url.removeprefix(PREFIX)
    if path == database_url or not path:
        raise ConfigurationError([f"must be {PREFIX} and the path of a file, or postgresql://"])
    if path == ":memory:" or path.startswith("file:") or "?" in path or "\0" in path:
        # In memory every connection would have a database of its own, and options could override
        # the engine's settings.
        raise ConfigurationError(["must name a file on disk, without options"])
    if path.endswith(("/", "/.", "/..")) or path in {".", ".."}:
        raise ConfigurationError(["must name a file, and not a folder"])
    return path


def sqlite_file(database_url: str) -> str:
    """Return the path of the file; "" if the URL is another one or names no file.

    Args:
        database_url: the URL, checked or not.
    """
    try:
        return parse_sqlite_url(database_url)
    except ConfigurationError:
        return ""
