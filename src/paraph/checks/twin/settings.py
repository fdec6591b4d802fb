"""The twin's configuration and its switched-on weaknesses."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Settings:
    """Settings, read once from `TWIN_*` environment variables."""

    zoom: str
    client_id: str
    client_secret: str
    webhook_secret: str
    redirect_uri: str
    folder: str
    port: int
    plain_port: int = 0
    hook_key: str = ""
    keys: tuple[str, ...] = ()
    mode: str = "bounce"
    level: str = "user"
    behind_proxies: bool = False
    issuer_required: bool = False
    second_server: str = ""
    ca_file: str = ""
    certificate: str = ""
    certificate_key: str = ""
    scopes: frozenset[str] = frozenset({"user:read:user"})
    weak: frozenset[str] = frozenset()
    offset: float = 0.0
    marks: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings from an environment."""

        def of(name: str, default: str = "") -> str:
            return environment.get(f"TWIN_{name}", default)

        return cls(
            zoom=of("ZOOM"),
            client_id=of("CLIENT_ID"),
            client_secret=of("CLIENT_SECRET"),
            webhook_secret=of("WEBHOOK_SECRET"),
            redirect_uri=of("REDIRECT_URI"),
            folder=of("FOLDER"),
            port=int(of("PORT")),
            plain_port=int(of("PLAIN_PORT", "0")),
            hook_key=of("HOOK_KEY"),
            keys=tuple(one for one in of("KEYS").split(",") if one),
            mode=of("MODE", "bounce"),
            level=of("LEVEL", "user"),
            behind_proxies=of("BEHIND_PROXIES") == "1",
            issuer_required=of("ISSUER_REQUIRED") == "1",
            second_server=of("SECOND_SERVER"),
            ca_file=of("CA_FILE"),
            certificate=of("CERTIFICATE"),
            certificate_key=of("CERTIFICATE_KEY"),
            weak=frozenset(of("WEAK").split(",")) - {""},
        )

    def is_weak(self, *names: str) -> bool:
        """Return True if one of these switches is on."""
        return bool(self.weak.intersection(names))

    def now(self) -> float:
        """Return the twin's time in epoch seconds; a hook can move it."""
        return time.time() + self.offset

    def log(self, line: str) -> None:
        """Append a line to the log file."""
        path = f"{self.folder}/twin.log"
        with open(os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600), "a") as file:  # noqa: PTH123 - An opener with a mode.
            file.write(line + "\n")
