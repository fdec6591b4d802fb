"""The configurations of nginx and Caddy in `deploy/`, in front of the service."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from end_to_end.nginx import Proxies, certificate, run_nginx, wait_for_port
from end_to_end.test_proxies import MEETING, Deployment, started
from ports import reserve_ports
from programs import need_program
from service_kit import simulated_zoom

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[2] / "deploy"
HOST = "zoom.tidemark.example"
NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {shipped}
}}
"""


def with_test_values(text: str, values: dict[str, str]) -> str:
    """Replace the addresses and paths of a shipped file; each must stand in it."""
    for pattern, value in values.items():
        text, count = re.subn(pattern, value.replace("\\", r"\\"), text)
        assert count, pattern
    return text


@contextmanager
def shipped_nginx(folder: Path, *, port: int, to: int, pem: Path) -> Iterator[str]:
    """Run nginx with the shipped file; only addresses and paths are others.

    Yields its origin of plain http.
    """
    need_program("nginx")
    (plain,) = reserve_ports(1)
    shipped = with_test_values(
        (DEPLOY / "nginx" / "paraph.conf").read_text(encoding="utf-8"),
        {
            r"listen \[::\]:.*;": "",
            r"listen 80;": f"listen 127.0.0.1:{plain};",
            r"listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            r"127\.0\.0\.1:8000": f"127.0.0.1:{to}",
            HOST: "localhost",
            r"/etc/letsencrypt/live/localhost/\w+\.pem": str(pem),
            r"/var/log/nginx/": f"{folder}/",
            r"/var/www/html": f"{folder}/webroot",
        },
    )
    folder.mkdir()
    with run_nginx(folder, NGINX.format(folder=folder, shipped=shipped), port=port):
        yield f"http://127.0.0.1:{plain}"


@contextmanager
def shipped_caddy(folder: Path, *, port: int, to: int, pem: Path) -> Iterator[str]:
    """Run Caddy with the shipped file; only addresses and the certificate are others."""
    caddy = need_program("caddy")
    shipped = with_test_values(
        (DEPLOY / "caddy" / "Caddyfile").read_text(encoding="utf-8"),
        {
            r"(?m)^\{$": "{\n\tadmin off\n\tauto_https disable_redirects",
            rf"{HOST} \{{": f"https://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls {pem} {pem}",
            r"127\.0\.0\.1:8000": f"127.0.0.1:{to}",
        },
    )
    folder.mkdir()
    (folder / "Caddyfile").write_text(shipped)
    home = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    with (folder / "stderr.log").open("wb") as log:
        process = subprocess.Popen(
            [caddy, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")],
            env={**os.environ, **home},
            stderr=log,
        )
    try:
        wait_for_port(port, process)
        yield ""
    finally:
        process.terminate()
        process.wait(timeout=30)


Shipped = Callable[..., AbstractContextManager[str]]


@pytest.mark.parametrize(
    ("sent", "location"),
    [
        ("/oauth/redirect?code=over-plain-http", "https://127.0.0.1/oauth/redirect"),
        ("/x%0d%0aSet-Cookie:%20evil=1", "https://127.0.0.1/x%0d%0aSet-Cookie:%20evil=1"),
        ("/a%3Fb%20c/", "https://127.0.0.1/a%3Fb%20c/"),
    ],
)
def test_nginx_redirects_to_the_path_as_it_was_sent(
    sent: str, location: str, tmp_path: Path
) -> None:
    """The redirect to https has the raw path and no query: nothing in it ends the header."""
    pem, _ = certificate(tmp_path)
    port, nowhere = reserve_ports(2)
    with shipped_nginx(tmp_path / "proxy", port=port, to=nowhere, pem=pem) as plain:
        response = httpx.get(f"{plain}{sent}")
    assert (301, location) == (response.status_code, response.headers["location"])
    assert "set-cookie" not in response.headers


def test_nginx_serves_the_proofs_of_certbot(tmp_path: Path) -> None:
    """A renewal finds its file over http, and nothing else is served there."""
    pem, _ = certificate(tmp_path)
    port, nowhere = reserve_ports(2)
    with shipped_nginx(tmp_path / "proxy", port=port, to=nowhere, pem=pem) as plain:
        proofs = tmp_path / "proxy" / "webroot" / ".well-known" / "acme-challenge"
        proofs.mkdir(parents=True)
        (proofs / "token").write_text("proof", encoding="utf-8")
        found = httpx.get(f"{plain}/.well-known/acme-challenge/token")
        missing = httpx.get(f"{plain}/.well-known/acme-challenge/other")
    assert (200, "proof", 404) == (found.status_code, found.text, missing.status_code)


@pytest.mark.parametrize("proxy", [shipped_nginx, shipped_caddy])
def test_the_shipped_proxies_pass_requests_and_log_no_code(proxy: Shipped, tmp_path: Path) -> None:
    """An installation and a delivery pass; no log has a code, not even after an error."""
    pem, context = certificate(tmp_path)
    (port,) = reserve_ports(1)
    zoom = simulated_zoom(f"https://localhost:{port}")
    process, urls = started(tmp_path, zoom, f"https://localhost:{port}", ["127.0.0.1"])
    try:
        service = int(urls["listening"].rpartition(":")[2])
        with proxy(tmp_path / "proxy", port=port, to=service, pem=pem):
            one = Deployment(
                zoom, Proxies(f"https://localhost:{port}", context), urls["private"], process
            )
            with one.browser() as browser:
                spoofed = {"forwarded": "for=192.0.2.1;proto=http"}
                start = browser.get("/install", headers=spoofed)
                consent = httpx.get(start.headers["location"])
                end = browser.get(consent.headers["location"], headers=spoofed)
                assert (303, "/installed") == (end.status_code, end.headers["location"])
                assert 200 == one.deliver("meeting.ended", MEETING)
                one.log()
                referer = {"referer": consent.headers["location"]}
                late = browser.get(consent.headers["location"], headers=referer)
                assert late.status_code in {502, 503, 504}
    finally:
        process.kill()
        process.communicate()
        zoom.stop()
    query = parse_qs(urlsplit(consent.headers["location"]).query)
    logs = "".join(path.read_text() for path in (tmp_path / "proxy").glob("*.log"))
    assert "/oauth/redirect" in logs
    assert [] == [name for name in ("code", "state") if query[name][0] in logs]
