"""The facts of a set-up, as the probes read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from paraph.settings.model import Settings
from paraph.zoom.manifest import Manifest


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file or folder of the set-up.

    Attributes:
        path: as it is written in the settings.
        role: what it holds: "settings", "settings copy", "database", "keys", "key service token" or
            "receipts".
        exists: false if it is not there; the other attributes are then defaults.
        mode: the permission bits.
        owned_by_another: true if neither this user nor root owns it.
        root_reads_by_group: true if root owns it and this user reads it through a group.
        folder_mode: the permission bits of its folder, with the sticky bit.
        in_repository: true if it lies in a working tree of git.
        ignored: true if git ignores it; None if git was not asked.
        committed: true if a commit of the repository has a file of this name.
        obstacle: why this user cannot use it, such as "Permission denied"; "" if nothing is known.
    """

    path: str
    role: str
    exists: bool = True
    mode: int = 0o600
    owned_by_another: bool = False
    root_reads_by_group: bool = False
    folder_mode: int = 0o700
    in_repository: bool = False
    ignored: bool | None = None
    committed: bool = False
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The state of the database, read without changing it.

    Attributes:
        exists: false for an SQLite file that the first start will create.
        failure: why it cannot be read or created; "" if it can.
        remedy: what to do about the failure; "" if only the failure is known.
        missing_steps: expanding schema steps that the next start applies.
        removable_steps: contracting steps that `paraph migrate` applies.
        unknown_steps: contracting steps of a newer paraph.
        sealing_key: the id of the key that seals; "" in a new database.
        pooler: "transaction", "session" or "".
        clock_ahead: seconds by which the database's clock is ahead of this one.
    """

    exists: bool = True
    failure: str = ""
    remedy: str = ""
    missing_steps: tuple[str, ...] = ()
    removable_steps: tuple[str, ...] = ()
    unknown_steps: tuple[str, ...] = ()
    sealing_key: str = ""
    pooler: str = ""
    clock_ahead: float = 0.0


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """This clock beside Zoom's: `skew` in seconds, positive when this one is ahead."""

    skew: int | None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class NameFacts:
    """The addresses that the host of the public URL resolves to."""

    host: str
    addresses: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """TLS of the public URL.

    Attributes:
        origin: the public origin.
        failure: why no trusted connection was made; "" if one was.
        version: such as "TLSv1.3".
        expires_at: when the certificate ends, in epoch seconds.
        old_versions: versions below 1.2 that the server also accepts.
        unanswered_versions: versions below 1.2 to which it did not respond at all.
    """

    origin: str
    failure: str = ""
    version: str = ""
    expires_at: int = 0
    old_versions: tuple[str, ...] = ()
    unanswered_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request of the doctor as it arrived at the service's address, behind the proxy.

    Attributes:
        peer: the address of the connection.
        host: the `Host` header.
        headers: the headers that proxies set, by name in lower case.
        forged_address_arrived: true if an `X-Forwarded-For` that the client made up stands at the
            right end, where the nearest proxy writes.
        forged_scheme_arrived: true if a made-up `X-Forwarded-Proto` arrived unchanged.
    """

    peer: str
    host: str
    headers: Mapping[str, str] = field(default_factory=dict)
    forged_address_arrived: bool = False
    forged_scheme_arrived: bool = False


@dataclass(frozen=True, slots=True)
class ProxyFacts:
    """The way from the public URL to the service.

    Attributes:
        arrival: a request that arrived; None if the service was running, so that only its
            responses were seen.
        status: the status of `/healthz` at the public URL; 0 if there was no response.
        failure: why no response arrived.
        plain_status: the status at the http form of the public URL; 0 if nothing answers.
        plain_location: where that response redirects to.
        forged_scheme_believed: true if a made-up `X-Forwarded-Proto: http` reached the service.
        logs_with_query: log files of proxies in which the query of a redirect was found.
    """

    arrival: Arrival | None = None
    status: int = 200
    failure: str = ""
    plain_status: int = 0
    plain_location: str = ""
    forged_scheme_believed: bool = False
    logs_with_query: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """The manifest of the app: from a file or from Zoom, or why it cannot be read."""

    source: str
    manifest: Manifest | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """The answer of Zoom to one undocumented question.

    Attributes:
        question: "other-redirect", "needless-verifier" or "second-redirect".
        refused: true if Zoom refused; None if it could not be asked.
        status: the HTTP status that decided, or 0.
        error: Zoom's error code, or why it could not be asked.
    """

    question: str
    refused: bool | None
    status: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A part that was not checked.

    Attributes:
        part: what was left out.
        reason: why.
        asked_for: true if it was to be checked and could not be.
    """

    part: str
    reason: str
    asked_for: bool = False


# The name of the part that `--live` asks about, among the parts that were not checked.
LIVE_PART = "undocumented behaviour of Zoom"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was read. None means that a part was not probed.

    Attributes:
        tls_key_log: the file that Python writes the keys of TLS connections to; "" without one.
    """

    now: int
    settings_file: str = "paraph.toml"
    settings_problems: tuple[str, ...] = ()
    settings: Settings | None = None
    files: tuple[FileFacts, ...] = ()
    database: DatabaseFacts | None = None
    clock: ClockFacts | None = None
    name: NameFacts | None = None
    tls: TlsFacts | None = None
    proxy: ProxyFacts | None = None
    manifest: ManifestFacts | None = None
    live: tuple[LiveAnswer, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    tls_key_log: str = ""
