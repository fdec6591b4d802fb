"""Values that the service inside a Python app and the client of the management API share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ZoomResponse:
    """A response of Zoom's REST API, with any status.

    Attributes:
        status: the HTTP status code.
        headers: names in lower case.
        body: the complete body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Parse the body as JSON.

        Raises:
            ValueError: the body is not JSON.
        """
        return json.loads(self.body)

    @property
    def retry_after(self) -> int | None:
        """The seconds to wait after 429 or 503; None if Zoom did not say."""
        value = self.headers.get("retry-after", "")
        return int(value) if value.isdecimal() else None
