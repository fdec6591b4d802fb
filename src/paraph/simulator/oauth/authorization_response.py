"""An authorization response in the making: its destination and its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response


@dataclass(slots=True)
class AuthorizationResponse:
    """A response that faults may change before the browser is sent back to the app.

    Attributes:
        uri: the redirect URI, with the query that the app registered.
        parameters: Zoom's parameters, in this order; a name may be repeated.
        fragment: the part behind `#`; Zoom sends no fragment.
        primary_uri: the app's first redirect URI, for the fault that sends everything there.
    """

    uri: str
    parameters: list[tuple[str, str]]
    fragment: str = ""
    primary_uri: str = ""

    def value(self, name: str) -> str | None:
        """Return the first value of a parameter."""
        return next((value for key, value in self.parameters if key == name), None)

    def put(self, name: str, value: str) -> None:
        """Set a parameter in its present place, or at the end."""
        if self.value(name) is None:
            self.parameters.append((name, value))
        else:
            self.parameters = [(k, value if k == name else v) for k, v in self.parameters]

    def drop(self, name: str) -> None:
        """Remove a parameter."""
        self.parameters = [(key, value) for key, value in self.parameters if key != name]

    def send(self) -> Response:
        """Return the redirect (302) to the app."""
        joined = "&" if urlsplit(self.uri).query else "?"
        fragment = f"#{self.fragment}" if self.fragment else ""
        location = f"{self.uri}{joined}{urlencode(self.parameters)}{fragment}"
        return RedirectResponse(location, status_code=302)
