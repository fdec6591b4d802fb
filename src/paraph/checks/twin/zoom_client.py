"""The twin's calls to Zoom: no redirects, a deadline, a size limit, strict JSON."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import ssl
import time
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from paraph.checks.twin.settings import Settings

LIMIT = 1_000_000
DEADLINE = 4.0


class ZoomError(Exception):
    """Zoom's response is invalid or an error; `code` is Zoom's own error code, if any."""

    def __init__(self, why: str, code: str = "", *, status: int = 0) -> None:
        super().__init__(why)
        self.code = code
        self.status = status


class ZoomClient:
    """A blocking client; the twin calls it in threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    # ------------------------------------------------------------ messages

    def exchange(self, server: str, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """Exchange an authorization code for tokens (RFC 6749 section 4.1.3)."""
        weak = self._settings.is_weak
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if weak("tok-redirect-uri"):
            fields["redirect_uri"] += "/"
        if verifier:
            fields["code_verifier"] = verifier
        tries = 5 if weak("tok-5xx-429") else 1
        while True:
            tries -= 1
            try:
                return self.token(server, fields)
            except ZoomError as error:
                if not tries or error.code:
                    raise

    def token(self, server: str, fields: dict[str, str]) -> dict[str, Any]:
        """Send a token request and validate the response.

        Raises:
            ZoomError: Zoom sent an error or an invalid response.
        """
        path = "/oauth/token"
        headers = self._basic()
        if self._settings.is_weak("tok-client-auth"):
            path += f"?client_secret={quote(self._settings.client_secret)}"
        status, body = self.call("POST", server + path, headers, urlencode(fields))
        content = self._parse(status, body)
        if status != 200:
            raise ZoomError(
                "the token endpoint refused", str(content.get("error", "")), status=status
            )
        return self._checked(content)

    def revoke(self, token: str) -> bool:
        """Revoke a token; return True if Zoom confirms it."""
        try:
            status, _ = self.call(
                "POST",
                f"{self._settings.zoom}/oauth/revoke",
                self._basic(),
                urlencode({"token": token}),
            )
        except ZoomError:
            return False
        return status == 200

    def get(self, token: str, path: str, host: str = "") -> tuple[int, Any]:
        """Call the REST API; return status and JSON."""
        url = (host or self._settings.zoom) + path
        headers = {"Authorization": f"Bearer {token}"}
        if self._settings.is_weak("leak-api-bearer"):
            url, headers = f"{url}?access_token={quote(token)}", {}
        status, body = self.call("GET", url, headers)
        try:
            return status, json.loads(body)
        except ValueError:
            return status, None

    def _basic(self) -> dict[str, str]:
        pair = f"{self._settings.client_id}:{self._settings.client_secret}"
        return {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }

    # ------------------------------------------------------------ strictness

    def _parse(self, status: int, body: bytes) -> dict[str, Any]:
        try:
            if self._settings.is_weak("tok-shape"):
                return dict(json.loads(body))
            content = json.loads(
                body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant
            )
        except (ValueError, RecursionError, TypeError):
            shown = body[:2000].decode("utf-8", "replace")
            why = shown if self._settings.is_weak("tok-html-200") else "the response is not JSON"
            raise ZoomError(why, status=status) from None
        if not isinstance(content, dict):
            raise ZoomError("the response is not an object", status=status)
        return content

    def _checked(self, content: dict[str, Any]) -> dict[str, Any]:
        weak = self._settings.is_weak
        kind = content.get("token_type")
        if not weak("tok-type") and not (isinstance(kind, str) and kind.lower() == "bearer"):
            raise ZoomError("the token type is not bearer")
        if weak("tok-shape"):
            return {
                **content,
                "access_token": str(content.get("access_token", "x")),
                "expires_in": 60,
            }
        access, lifetime = content.get("access_token"), content.get("expires_in", 60)
        if not isinstance(access, str) or not access.isascii() or not access:
            raise ZoomError("there is no access token")
        if isinstance(lifetime, bool) or not isinstance(lifetime, int) or not 0 < lifetime < 10**8:
            raise ZoomError("expires_in is not a number of seconds")
        if content.get(
            "client_id", self._settings.client_id
        ) != self._settings.client_id and not weak("tok-wrong-client"):
            raise ZoomError("the token belongs to another client")
        if not isinstance(content.get("refresh_token", ""), str):
            raise ZoomError("the refresh token is not a string")
        if not isinstance(content.get("scope", ""), str):
            raise ZoomError("the scope is not a string")
        return {**content, "expires_in": lifetime}

    # ------------------------------------------------------------ the wire

    def call(
        self, method: str, url: str, headers: dict[str, str], body: str = ""
    ) -> tuple[int, bytes]:
        """Send one request.

        Raises:
            ZoomError: the response is too large or does not end in time.
        """
        parts = urlsplit(url)
        limit = 10**9 if self._settings.is_weak("tok-huge") else LIMIT
        deadline = time.monotonic() + (90 if self._settings.is_weak("tok-slow") else DEADLINE)
        connection = self._connection(parts.scheme, parts.netloc, deadline)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
            if response.status in {301, 302, 307, 308} and self._settings.is_weak("tok-redirect"):
                return self.call(method, response.getheader("location", ""), headers, body)
            return response.status, self._read(connection, response, limit, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ZoomError(type(error).__name__) from None
        finally:
            connection.close()

    def _connection(self, scheme: str, netloc: str, deadline: float) -> http.client.HTTPConnection:
        timeout = deadline - time.monotonic()
        if scheme != "https":
            return http.client.HTTPConnection(netloc, timeout=timeout)
        context = ssl.create_default_context(cafile=self._settings.ca_file or None)
        if self._settings.is_weak("tok-tls"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(netloc, timeout=timeout, context=context)

    def _read(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        limit: int,
        deadline: float,
    ) -> bytes:
        body = bytearray()
        while chunk := response.read1(65536):
            body += chunk
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if connection.sock is not None:
                connection.sock.settimeout(left)
            if len(body) > limit:
                raise ZoomError("the response is too large")
        if response.getheader("content-encoding") == "gzip" and self._settings.is_weak("tok-huge"):
            return gzip.decompress(bytes(body))
        if response.length:
            raise http.client.IncompleteRead(bytes(body))
        return bytes(body)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
