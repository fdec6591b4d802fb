"""social-auth-core: its Zoom backend, with the URLs that it was published with."""

from urllib.parse import parse_qsl, urlsplit

import requests
from runner import ME, REVOKE, App
from social_core.backends.zoom import ZoomOAuth2
from social_core.exceptions import AuthException
from social_core.storage import BaseStorage
from social_core.strategy import BaseStrategy


class Nonces:
    """What the backend remembers of a sign-in; one sign-in needs no more than this."""

    @staticmethod
    def use(_scope: str, _timestamp: int, _salt: str) -> bool:
        return True

    @staticmethod
    def consume(_scope: str, _timestamp: int, _salt: str) -> bool:
        return True

    @staticmethod
    def delete(_nonce: object) -> None:
        return None

    @staticmethod
    def get(scope: str, salt: str) -> object:
        return (scope, salt)


class Storage(BaseStorage):
    """Nonces, and nothing else."""

    nonce = Nonces


class Strategy(BaseStrategy):
    """What a web framework would supply: settings, a session, and the request's parameters."""

    def __init__(self, app: App) -> None:
        super().__init__(Storage())
        self.app, self.session, self.data = app, {}, {}

    def get_setting(self, name: str) -> object:
        return {
            "SOCIAL_AUTH_ZOOM_OAUTH2_KEY": self.app.client_id,
            "SOCIAL_AUTH_ZOOM_OAUTH2_SECRET": self.app.client_secret,
            "KEY": self.app.client_id,
            "SECRET": self.app.client_secret,
        }[name]

    def request_data(self, merge: bool = True) -> dict:
        return self.data

    def session_get(self, name: str, default: object = None) -> object:
        return self.session.get(name, default)

    def session_set(self, name: str, value: object) -> None:
        self.session[name] = value

    def session_pop(self, name: str) -> object:
        return self.session.pop(name, None)

    def absolute_uri(self, path: str | None = None) -> str:
        return path or ""

    def redirect(self, url: str) -> str:
        return url

    def authenticate(self, backend: object, *_args: object, **more: object) -> object:
        return more["response"]


def run(app: App) -> dict:
    """Sign in and refresh by the backend; it has no revocation, so requests sends that."""
    strategy = Strategy(app)
    backend = ZoomOAuth2(strategy, redirect_uri=app.redirect_uri)
    answer = app.visit(backend.start())
    strategy.data = backend.data = dict(parse_qsl(urlsplit(answer).query))
    first = backend.auth_complete()
    second = backend.refresh_token(first["refresh_token"])
    try:
        backend.refresh_token(first["refresh_token"])
        reuse = "accepted"
    except AuthException as error:
        reuse = error.__cause__.response.json()["error"]
    user = backend.user_data(second["access_token"])
    form = {"token": second["access_token"]}
    credentials = (app.client_id, app.client_secret)
    revoked = requests.post(REVOKE, data=form, auth=credentials, timeout=10).json()["status"]
    bearer = {"authorization": f"Bearer {second['access_token']}"}
    return {
        "scope": first["scope"],
        "user_id": user["id"],
        "rotated": first["refresh_token"] != second["refresh_token"],
        "reuse": reuse,
        "revoked": revoked,
        "afterwards": requests.get(ME, headers=bearer, timeout=10).status_code,
    }
