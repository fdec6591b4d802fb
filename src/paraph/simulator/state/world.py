"""The simulated world: accounts, users, apps, their meetings, and the strictness of Zoom.

It is read from a TOML file or set by the control API, with the same names. Unknown keys are refused
by name. Secrets of any length and plain-http URLs are accepted, and flagged in the console.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from paraph.errors import ConfigurationError, NotFound
from paraph.settings.source import parse_toml
from paraph.simulator.state.world_content import Meeting, Recording, find_wrong_content

__all__ = [
    "DEFAULT_CLIENT_ID",
    "DEFAULT_CLIENT_SECRET",
    "DEFAULT_WEBHOOK_SECRET",
    "Account",
    "App",
    "Meeting",
    "Recording",
    "User",
    "World",
    "Zoom",
    "complete",
    "default_world",
    "find_contradictions",
    "load_world",
]

DEFAULT_CLIENT_ID = "SimulatedZoomClientId1"
DEFAULT_CLIENT_SECRET = "simulated-zoom-client-credential-0001"
DEFAULT_WEBHOOK_SECRET = "simulated-zoom-webhook-signing-0001"


class Account(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A Zoom account."""

    id: str
    preapproval_required: bool = False


class User(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A Zoom user.

    Attributes:
        type: 1 basic, 2 licensed, 99 none.
    """

    id: str
    account_id: str = ""
    email: str = ""
    display_name: str = ""
    role: Literal["admin", "member"] = "member"
    type: Literal[1, 2, 99] = 2
    timezone: str = "Europe/Lisbon"
    language: str = "en-US"
    dept: str = ""
    job_title: str = ""
    phone_number: str = ""
    verified: bool = True
    status: Literal["active", "inactive", "pending"] = "active"


class App(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A Marketplace app, with the fields of Zoom's own form."""

    kind: Literal["general", "server-to-server"] = "general"
    client_id: str
    client_secret: str
    webhook_secret: str = ""
    account_id: str = ""
    redirect_uris: list[str] = []
    allow_list: list[str] = []
    strict_mode: bool = True
    subdomain_strict_mode: bool = True
    install_type: Literal["APP_DIRECTORY", "LANDING_PAGE"] = "APP_DIRECTORY"
    landing_url: str = ""
    event_url: str = ""
    deauthorization_url: str = ""
    scopes: list[str] = msgspec.field(default_factory=lambda: ["user:read:user"])
    optional_scopes: list[str] = []
    level: Literal["user", "account"] = "user"
    # With level "account" Zoom grants the `:admin` form of each scope, and names it so.
    admin_scopes: bool = False
    public: bool = False
    published: bool = True
    # Revoking a user's token removes the app, and sends `app_deauthorized`.
    revoke_deauthorizes: bool = True
    home_url: str = ""
    token_format: Literal["jwt", "opaque"] = "jwt"
    webhook_security: Literal["signature", "basic", "bearer", "header"] = "signature"
    # The credentials of the modes above: the first two as Basic (to the token URL, with "bearer").
    webhook_username: str = "simulated-zoom"
    webhook_password: str = "simulated-zoom-webhook-login-0001"
    webhook_token_url: str = ""
    webhook_header: str = "x-simulated-zoom"
    webhook_header_value: str = "simulated-zoom-webhook-header-0001"

    def granted_scopes(self, optional: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the scopes of a consent.

        Args:
            optional: the selected optional scopes; None selects all.
        """
        chosen = self.optional_scopes if optional is None else optional
        return tuple(self._granted(one) for one in (*self.scopes, *chosen))

    def _granted(self, scope: str) -> str:
        is_plain = not scope.endswith((":admin", ":master"))
        return f"{scope}:admin" if self.admin_scopes and is_plain else scope


class Zoom(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The behaviour of Zoom itself."""

    strict: bool = False
    localhost_redirects: Literal["allowed", "refused"] = "allowed"
    api_url: str = ""


class World(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All accounts, users, apps, meetings and recordings, and the behaviour of Zoom."""

    accounts: list[Account] = []
    users: list[User] = []
    apps: list[App] = []
    meetings: list[Meeting] = []
    recordings: list[Recording] = []
    zoom: Zoom = msgspec.field(default_factory=Zoom)

    def app(self, client_id: str) -> App | None:
        """Return an app by client id, byte for byte."""
        return next((app for app in self.apps if app.client_id == client_id), None)

    def user(self, user_id: str) -> User | None:
        """Return a user by id, byte for byte."""
        return next((user for user in self.users if user.id == user_id), None)

    def known_app(self, client_id: str) -> App:
        """Return an app by client id.

        Raises:
            NotFound: no app has this client id.
        """
        app = self.app(client_id)
        if app is None:
            raise NotFound("there is no app with this client_id")
        return app

    def known_user(self, user_id: str) -> User:
        """Return a user by id.

        Raises:
            NotFound: no user has this id.
        """
        user = self.user(user_id)
        if user is None:
            raise NotFound("there is no such user")
        return user

    def chosen_user(self, user: User | str) -> User:
        """Return a user that a test names.

        Args:
            user: the user itself, or the id or e-mail address; "" for the first user.

        Raises:
            NotFound: there is no such user.
        """
        if isinstance(user, User):
            return user
        for one in self.users:
            if not user or user in {one.id, one.email}:
                return one
        raise NotFound("there is no such user")

    def host(self, host_id: str) -> User | None:
        """Return the host of a meeting; "" names the first user."""
        return self.user(host_id) if host_id else next(iter(self.users), None)

    def account(self, account_id: str) -> Account | None:
        """Return an account by id, byte for byte."""
        return next((one for one in self.accounts if one.id == account_id), None)


def default_world() -> World:
    """Return one account, an admin and two members, one app that fits `paraph serve` unchanged."""
    account = "AbcDEFghiJKLmnoPQRst01"
    webhook = "http://127.0.0.1:8000/webhook"
    return World(
        accounts=[Account(id=account)],
        users=[
            User(
                id="KDcuGIm1QgePTO8WbOqwIQ",
                account_id=account,
                email="jane@example.com",
                display_name="Jane Dev",
                role="admin",
            ),
            User(
                id="z8yCxTTTTSiw02QgCAp8uQ",
                account_id=account,
                email="ravi@example.com",
                display_name="Ravi Member",
            ),
            User(
                id="Qm3sLw0kR9yB5nTf1XhZ2g",
                account_id=account,
                email="mei@example.com",
                display_name="Mei Member",
            ),
        ],
        apps=[
            App(
                client_id=DEFAULT_CLIENT_ID,
                client_secret=DEFAULT_CLIENT_SECRET,
                webhook_secret=DEFAULT_WEBHOOK_SECRET,
                redirect_uris=[
                    "http://127.0.0.1:8000/marketplace",
                    "http://127.0.0.1:8000/oauth/redirect",
                ],
                event_url=webhook,
                deauthorization_url=webhook,
                scopes=["user:read:user", "meeting:read:meeting"],
                optional_scopes=["cloud_recording:read:recording"],
            )
        ],
    )


def load_world(path: Path) -> World:
    """Read a world file.

    Raises:
        ConfigurationError: it cannot be read, or a key is unknown or has another type. The
            problem names the table, counted from 0, and the key.
    """
    try:
        world = msgspec.convert(parse_toml(path.read_bytes()), World)
    except OSError as error:
        raise ConfigurationError([f"{path} cannot be read: {error.strerror}"]) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigurationError([f"{path}: {_with_its_place(str(error))}"]) from None
    problems = find_contradictions(world)
    if problems:
        raise ConfigurationError([f"{path}: {problem}" for problem in problems])
    return complete(world)


def _with_its_place(problem: str) -> str:
    """Put the table and key of a problem first; msgspec writes ` - at `$.users[0].role`` last."""
    text, _, place = problem.partition(" - at `$.")
    return f"{place.rstrip('`')}: {text}" if place else text


def complete(world: World) -> World:
    """Set the defaults of a short world: an account, and the accounts of users and server apps."""
    if not world.accounts:
        world.accounts = default_world().accounts
    for app in world.apps:
        if app.kind == "server-to-server":
            app.account_id = app.account_id or world.accounts[0].id
    for user in world.users:
        user.account_id = user.account_id or world.accounts[0].id
        user.email = user.email or f"{user.id.lower()}@example.com"
        user.display_name = user.display_name or user.id
    return world


def find_contradictions(world: World) -> Sequence[str]:
    """Return the contradictions of a world: repeated or empty ids, and unknown accounts."""
    problems: list[str] = []
    for word, ids in (
        ("account id", [one.id for one in world.accounts]),
        ("user id", [one.id for one in world.users]),
        ("client_id", [one.client_id for one in world.apps]),
    ):
        problems += [
            f"{word} {one} appears twice" for one in sorted(set(ids)) if ids.count(one) > 1
        ]
        problems += [f"{word} is empty"] if "" in ids else []
    # A world without accounts gets one, and only `complete` knows its id.
    known = {one.id for one in world.accounts or default_world().accounts}
    owned = [(f"user {user.id}", user.account_id) for user in world.users]
    owned += [(f"client_id {app.client_id}", app.account_id) for app in world.apps]
    problems += [
        f"{name} names an unknown account" for name, owner in owned if owner and owner not in known
    ]
    ids = [one.id for one in world.users]
    return problems + find_wrong_content(world.meetings, world.recordings, ids)
