"""Redirects `zoom.us` to the simulator for the process of an app with hard-coded Zoom URLs.

Linux only. The command runs in its own mount namespace with another /etc/hosts and another
certificate bundle. There `zoom.us` and `api.zoom.us` are a loopback address. The simulator listens
at it with a certificate of a throw-away authority. Nothing outside that process changes.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from paraph.errors import ConfigurationError

NAMES = ("zoom.us", "api.zoom.us", "marketplace.zoom.us")
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_SCRIPT = 'mount --bind "$1" /etc/hosts && mount --bind "$2" "$3" && shift 3 && exec "$@"'


def address() -> str:
    """Return a loopback address for this process alone, so that its port 443 is free."""
    return f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}.1"


def demand_possible() -> None:
    """Check that this machine supports impersonation.

    Raises:
        ConfigurationError: lists everything that is missing.
    """
    problems = []
    if not sys.platform.startswith("linux"):
        problems.append("--impersonate needs Linux (mount namespaces)")
    elif shutil.which("unshare") is None:
        problems.append("--impersonate needs the command unshare (util-linux)")
    elif subprocess.run(
        [shutil.which("unshare") or "unshare", *_flags(), "true"], capture_output=True, check=False
    ).returncode:
        problems.append("this system does not allow new mount namespaces")
    try:
        with socket.socket() as probe:
            # The listener sets this too: connections of an earlier run may still be in TIME_WAIT.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address(), 443))
    except OSError:
        problems.append(
            "port 443 of a loopback address cannot be bound; run as root, or lower "
            "net.ipv4.ip_unprivileged_port_start"
        )
    if problems:
        raise ConfigurationError(problems, remedy="Or let the app take Zoom's URLs from settings.")


def _flags() -> list[str]:
    own = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["--mount", "--propagation", "private", *own]


def wrapped(command: Sequence[str], folder: Path, authority: Path) -> list[str]:
    """Wrap the command so that it runs in its own mount namespace."""
    hosts = folder / "hosts"
    own = Path("/etc/hosts").read_text("utf-8", "replace") if Path("/etc/hosts").exists() else ""
    hosts.write_text(f"{address()} {' '.join(NAMES)}\n{own}", "utf-8")
    bundle = next((one for one in _BUNDLES if Path(one).exists()), "")
    whole = folder / "bundle.pem"
    known = Path(bundle).read_bytes() if bundle else b""
    whole.write_bytes(known + b"\n" + authority.read_bytes())
    over = bundle or str(whole)
    script = ["sh", "-c", _SCRIPT, "sh", str(hosts), str(whole), over]
    return [shutil.which("unshare") or "unshare", *_flags(), *script, *command]


def trusting(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Add the variables from which common runtimes read their trusted authorities."""
    return {**dict.fromkeys(_VARIABLES, str(folder / "bundle.pem")), **environment}
