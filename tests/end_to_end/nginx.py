"""Real proxies: nginx in front of nginx, TLS at the first one."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

# Each proxy speaks to the next one from an address of its own, so that each can be named alone.
FIRST, SECOND = "127.0.0.2", "127.0.0.3"

_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}{tls};
    {certificate}
    location / {{
      proxy_pass http://127.0.0.1:{to};
      proxy_bind {source};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto {scheme};
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Proxies:
    """Both proxies: the URL of the first one, and what a client trusts it by."""

    url: str
    context: ssl.SSLContext


def demand_nginx() -> str:
    """The program; the test is skipped by name where there is none."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("no nginx on this machine: the test behind real proxies is skipped")
    return found


def free_port() -> int:
    """A port that was free a moment ago: nginx cannot be told to choose one."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def nginx(folder: Path, *, port: int, to: int, source: str, pem: Path | None) -> Iterator[None]:
    """One nginx.

    Raises:
        OSError: it did not come up; perhaps somebody else got its port.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = _NGINX.format(
        folder=folder,
        port=port,
        to=to,
        source=source,
        tls=" ssl" if pem else "",
        certificate=f"ssl_certificate {pem}; ssl_certificate_key {pem};" if pem else "",
        # The second one appends its own, as the first one's stands in front of it.
        scheme="$scheme" if pem else '"$http_x_forwarded_proto, $scheme"',
    )
    with run_nginx(folder, text, port=port):
        yield


@contextmanager
def run_nginx(folder: Path, text: str, *, port: int) -> Iterator[None]:
    """Run nginx with a configuration, until the block ends.

    Args:
        folder: for the configuration and its temporary files.
        text: the configuration; it must not leave the foreground.
        port: one of its ports.

    Raises:
        OSError: it did not come up; perhaps the port was taken.
    """
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(
        [demand_nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process listens on a port.

    Raises:
        OSError: it ended, or does not listen.
    """
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise OSError(f"nothing listens on {port}")


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A key with its chain in one file, and a context that trusts it."""
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    pem = folder / "proxy.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(pem))
    return pem, context
