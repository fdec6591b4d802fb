"""Parses TOML files as people save them: with byte order marks, and with every mistake."""

from __future__ import annotations

import tomllib
from typing import Any


def parse_toml(content: bytes) -> dict[str, Any]:
    """Parse a TOML document.

    A byte order mark is dropped: some editors write one.

    Raises:
        ValueError: it is not TOML, or nested too deeply; the message quotes no value.
    """
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except tomllib.TOMLDecodeError:
        raise
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None
    except ValueError:
        # Raised for an integer with thousands of digits.
        raise ValueError("a number in it is too long") from None
