"""The service inside another application: its place, its settings, its start and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from paraph.errors import ConfigurationError, UsageError
from paraph.secret import Secret
from paraph.service.mount.mounting import own_paths
from paraph.service.zoom import Zoom
from paraph.settings.keywords import SettingKeywords
from paraph.settings.model import Written
from service.mount.mounted_app import MountedApp, mounted_app
from service_kit import PUBLIC_URL, give_back, settings_for, simulated_zoom

pytestmark = pytest.mark.anyio

KEYWORDS: dict[str, Any] = {
    "client_id": "AbCdEf123456",
    "client_secret": Secret("kF93-2bXq0-Zr8sLpW"),
    "webhook_secrets": ("hN71_0cYwe-Ty6dRmVq",),
    "public_url": "https://tidemark.example",
    "encryption_keys": ["one:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"],
}


def nobody(_request: object) -> None:
    """A host in which no user is signed in."""


async def answer(app: Any, path: str, **scope: Any) -> httpx.Response:
    """The response of an application to GET."""
    transport = httpx.ASGITransport(app, **scope)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as browser:
        return await browser.get(path)


# ---------------------------------------------------------------- settings


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("elsewhere")
def test_keywords_win_over_variables_and_these_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every setting may be a keyword; what is not given is read as for `paraph serve`."""
    file = tmp_path / "paraph.toml"
    file.write_text('app_name = "of the file"\nlevel = "account"\nevent_timeout = 7\n')
    monkeypatch.setenv("PARAPH_APP_NAME", "of the variable")
    monkeypatch.setenv("PARAPH_LEVEL", "account")
    zoom = Zoom(**KEYWORDS, level="user", subject_of=nobody)
    assert ("user", "of the variable", 7) == (
        zoom.settings.level,
        zoom.settings.app_name,
        zoom.settings.event_timeout,
    )
    assert Secret("kF93-2bXq0-Zr8sLpW") == zoom.settings.client_secret


def test_the_keywords_are_the_settings() -> None:
    """An editor completes each setting, and no other name."""
    assert set(Written.model_fields) == set(get_type_hints(SettingKeywords))


@pytest.mark.usefixtures("elsewhere")
def test_an_unknown_keyword_names_the_one_that_is_meant() -> None:
    """A typing error must not leave a setting at its default."""
    wrong: dict[str, Any] = {**KEYWORDS, "client_secrets": "x"}
    with pytest.raises(UsageError) as caught:
        Zoom(**wrong)
    assert "client_secrets" in caught.value.detail
    assert "client_secret" in caught.value.remedy


@pytest.mark.usefixtures("elsewhere")
def test_all_problems_are_reported_together() -> None:
    """Those of the settings, of the place, and of the host's own URLs."""
    with pytest.raises(ConfigurationError) as caught:
        Zoom(
            client_id="AbCdEf123456",
            prefix="zoom/",
            subject_of=nobody,
            linking="none",
            sign_in_url="//evil.example",
            after_install="/\\evil.example",
            after_failure="http://evil.example/",
        )
    for part in (
        "client_secret is missing",
        "public_url is missing",
        "prefix cannot be used",
        'linking = "none" links nothing',
        "sign_in_url must be a path",
        "after_install must be a path",
        "after_failure is plain http",
    ):
        assert part in "\n".join(caught.value.problems), part


@pytest.mark.usefixtures("elsewhere")
def test_options_that_would_have_no_effect_are_refused() -> None:
    """Without `subject_of` the host's own pages ask and end; settings are given once."""
    urls = {"start_url": "https://tidemark.example/s", "link_url": "https://tidemark.example/l"}
    given: dict[str, Any] = {**KEYWORDS, **urls}
    for option in ("label_of", "sign_in_url", "after_install"):
        value: Any = nobody if option == "label_of" else "/x"
        with pytest.raises(ConfigurationError, match=option):
            Zoom(**given, **{option: value})
    with pytest.raises(ConfigurationError, match="link_url"):
        Zoom(**given, subject_of=nobody)
    with pytest.raises(UsageError):
        Zoom(Zoom(**given).settings, **KEYWORDS)


# ---------------------------------------------------------------- the place


async def test_every_url_follows_the_prefix(tmp_path: Path) -> None:
    """Redirect URI, Location headers and health checks; the app keeps every other URL."""
    async with mounted_app(tmp_path, security_contact="mailto:s@app.example") as app:
        base = f"{PUBLIC_URL}{app.prefix}"
        assert f"{base}/oauth/redirect" == app.zoom.settings.redirect_uri
        assert set(app.zoom.service.public.table) == {
            *own_paths(app.zoom.settings, has_pages=True),
            "/.well-known/security.txt",
        }
        async with app.browser("jane") as browser:
            for path in ("/healthz", "/readyz", "/.well-known/security.txt"):
                assert 200 == (await browser.get(f"{app.prefix}{path}")).status_code
                assert f"own {path}" == (await browser.get(path)).text
            restart = await browser.get(f"{app.prefix}/oauth/redirect?code=stray")
            assert f"{app.prefix}/marketplace" == restart.headers["location"]
            landed = await browser.get(f"{app.prefix}/marketplace")
            assert f"{base}/start" == landed.headers["location"]
            assert 401 == (await browser.post(f"{app.prefix}/webhook")).status_code
            wrong = await browser.get(f"{app.prefix}/install?request={'A' * 43}")
            assert (404, True) == (wrong.status_code, f'href="{base}/start"' in wrong.text)
            assert "own /install" == (await browser.get("/install")).text


async def test_a_public_url_may_carry_a_path(tmp_path: Path) -> None:
    """Its path stands before the prefix, in the URLs and in the requests."""
    simulated = simulated_zoom()
    settings = settings_for(simulated, tmp_path, public_url=f"{PUBLIC_URL}/base")
    async with Zoom(settings, prefix="/zoom") as zoom:
        assert f"{PUBLIC_URL}/base/zoom/oauth/redirect" == zoom.settings.redirect_uri
        app = zoom.around(PlainTextResponse("own"))
        for path, status in (("/base/zoom/healthz", "ok\n"), ("/zoom/healthz", "own")):
            assert status == (await answer(app, path)).text
        # hypercorn leaves the path below which it serves out of the path of a request.
        assert "ok\n" == (await answer(app, "/zoom/healthz", root_path="/base")).text
        mounted = Starlette(routes=[Mount("/base/zoom", zoom.asgi)])
        assert "ok\n" == (await answer(mounted, "/base/zoom/healthz")).text
    give_back(simulated)


async def test_security_txt_at_the_root_is_the_hosts_wish(tmp_path: Path) -> None:
    """The root of the host is not paraph's, but Zoom looks for its file nowhere else."""
    contact, file = "mailto:s@app.example", "/zoomverify/verifyzoom.html"
    async with mounted_app(tmp_path, security_contact=contact, verify_zoom="abc") as app:
        around = app.zoom.around(PlainTextResponse("own"), security_txt=True)
        assert contact in (await answer(around, "/.well-known/security.txt")).text
        assert "abc" == (await answer(app.app, file)).text


async def test_two_apps_of_one_host_read_their_own_cookies(tmp_path: Path) -> None:
    """A cookie of another prefix finishes nothing here, under its own name or another one."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        back = await app.at_zoom(browser)
        names = {one.name: one.value or "" for one in browser.cookies.jar}
        own = [name for name in names if name.startswith("__Host-paraph-")]
        assert 2 == len(own)
        assert 1 == len({name.split("-")[2] for name in own})
        for changed in ("", "0123456789ab-"):
            tag = own[0].removeprefix("__Host-paraph-").partition("-")[0]
            moved = "; ".join(f"{n.replace(f'{tag}-', changed)}={names[n]}" for n in own)
            async with app.browser() as other:
                refused = await other.get(back, headers={"cookie": f"user=jane; {moved}"})
                assert 400 == refused.status_code
        assert 303 == (await browser.get(back)).status_code


@pytest.mark.slow
async def test_cookies_stay_below_four_kilobytes(tmp_path: Path) -> None:
    """Many tabs of a user with a long name: the oldest flows are dropped first."""
    async with mounted_app(tmp_path) as app, app.browser("j" * 255) as browser:
        for _ in range(8):
            begun = await browser.get(f"{app.prefix}/start")
            await browser.get(begun.headers["location"])
        own = [one for one in browser.cookies.jar if one.name.startswith("__Host-paraph-")]
        assert 4096 >= sum(len(one.name) + len(one.value or "") + 3 for one in own)
        assert 3 <= len(own)


# ---------------------------------------------------------------- start and end


class Server:
    """The lifespan messages of a server, one by one."""

    def __init__(self, app: Any) -> None:
        self.sent: list[str] = []
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answered: asyncio.Queue[None] = asyncio.Queue()
        self._task = asyncio.create_task(self._run(app))

    async def _run(self, app: Any) -> None:
        await app({"type": "lifespan", "state": {}}, self._incoming.get, self._send)

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message["type"].removeprefix("lifespan."))
        self._answered.put_nowait(None)

    async def tell(self, message: str) -> str:
        """Send a message and wait for its answer."""
        self._incoming.put_nowait({"type": f"lifespan.{message}"})
        async with asyncio.timeout(10):
            await self._answered.get()
        return self.sent[-1]

    async def end(self) -> None:
        """Wait for the application to return."""
        async with asyncio.timeout(10):
            await self._task


async def _without_lifespan(scope: Any, _receive: Any, _send: Any) -> None:
    if scope["type"] != "http":
        raise RuntimeError("this app knows HTTP only")


async def _returning(_scope: Any, _receive: Any, _send: Any) -> None:
    return


def _starlette(notes: list[str], app: MountedApp) -> Any:
    @asynccontextmanager
    async def lifespan(_app: object) -> Any:
        # The service runs before the app starts, and stops after it.
        assert app.zoom.service is not None
        notes.append("started")
        async with app.zoom.lifespan(None):
            yield
        assert app.zoom.service is not None
        notes.append("stopped")

    return Starlette(routes=[Route("/", PlainTextResponse("own"))], lifespan=lifespan)


@pytest.fixture
async def stopped(tmp_path: Path) -> Any:
    """A host whose Zoom does not run."""
    simulated = simulated_zoom(f"{PUBLIC_URL}/zoom")
    settings = settings_for(simulated, tmp_path, linking="host")
    zoom = Zoom(settings, prefix="/zoom", subject_of=nobody)
    yield MountedApp(zoom, simulated, None, "/zoom")
    give_back(simulated)


@pytest.mark.parametrize("inner", [_without_lifespan, _returning, None])
async def test_it_runs_with_the_server_around_any_app(
    stopped: MountedApp, inner: Callable[..., Awaitable[None]] | None
) -> None:
    """Around an app without a lifespan, and alone."""
    app = stopped.zoom.asgi if inner is None else stopped.zoom.around(inner)
    server = Server(app)
    assert "startup.complete" == await server.tell("startup")
    assert "ok\n" == (await answer(app, "/zoom/healthz")).text
    assert "shutdown.complete" == await server.tell("shutdown")
    await server.end()
    # It has ended: no late request starts it again.
    assert 503 == (await answer(app, "/zoom/healthz")).status_code
    with pytest.raises(UsageError):
        _ = stopped.zoom.service


async def test_an_apps_own_lifespan_runs_inside(stopped: MountedApp) -> None:
    """The app may use the service while it starts and stops; entering it again starts no other."""
    notes: list[str] = []
    server = Server(stopped.zoom.around(_starlette(notes, stopped)))
    assert "startup.complete" == await server.tell("startup")
    service = stopped.zoom.service
    assert ["started"] == notes
    async with stopped.zoom as same:
        assert service is same.service
    assert service is stopped.zoom.service
    assert "shutdown.complete" == await server.tell("shutdown")
    await server.end()
    assert ["started", "stopped"] == notes


async def test_a_start_that_fails_is_the_servers_failure(tmp_path: Path) -> None:
    """The server ends; the app inside is never started."""
    simulated = simulated_zoom()
    settings = settings_for(simulated, tmp_path, database_url=f"sqlite:///{tmp_path}/no/dir/x.db")
    notes: list[str] = []
    app = MountedApp(Zoom(settings), simulated, None)
    server = Server(app.zoom.around(_starlette(notes, app)))
    assert "startup.failed" == await server.tell("startup")
    with pytest.raises(Exception, match="cannot be opened"):
        await server.end()
    assert [] == notes
    # Without lifespan each request is refused, and the app's own pages stay up.
    zoom = Zoom(settings)
    around = zoom.around(PlainTextResponse("own"))
    for _ in range(2):
        assert 503 == (await answer(around, "/webhook")).status_code
    assert "own" == (await answer(around, "/")).text
    give_back(simulated)


async def test_without_lifespan_the_first_request_starts_it(stopped: MountedApp) -> None:
    """Many first requests start one service, which ends with the event loop."""
    app = stopped.zoom.around(PlainTextResponse("own"))
    found = await asyncio.gather(*(answer(app, "/zoom/healthz") for _ in range(4)))
    assert ["ok\n"] * 4 == [one.text for one in found]
    keepers = [task for task in asyncio.all_tasks() if task.get_name() == "paraph"]
    assert 1 == len(keepers)
    keepers[0].cancel()
    await asyncio.wait(keepers)
    with pytest.raises(UsageError):
        _ = stopped.zoom.service
