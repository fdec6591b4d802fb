"""The authorization response under way: where it goes and what it carries."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response


@dataclass(slots=True)
class AuthorizationResponse:
    """What a fault may spoil before the browser is sent back to the app.

    Attributes:
        uri: the redirect URI, with the query that the app registered.
        parameters: what Zoom adds, in this order; a name may stand twice.
        fragment: what stands behind `#`; Zoom sends none.
        primary_uri: the app's first redirect URI, for the fault that sends everything there.
    """

    uri: str
    parameters: list[tuple[str, str]]
    fragment: str = ""
    primary_uri: str = ""

    def value(self, name: str) -> str | None:
        """The first value of a parameter."""
        return next((value for key, value in self.parameters if key == name), None)

    def put(self, name: str, value: str) -> None:
        """Set a parameter in the place where it stands, or at the end."""
        if self.value(name) is None:
            self.parameters.append((name, value))
        else:
            self.parameters = [(k, value if k == name else v) for k, v in self.parameters]

    def drop(self, name: str) -> None:
        """Leave a parameter out."""
        self.parameters = [(key, value) for key, value in self.parameters if key != name]

    def send(self) -> Response:
        """302 to the app."""
        joined = "&" if urlsplit(self.uri).query else "?"
        fragment = f"#{self.fragment}" if self.fragment else ""
        location = f"{self.uri}{joined}{urlencode(self.parameters)}{fragment}"
        return RedirectResponse(location, status_code=302)
