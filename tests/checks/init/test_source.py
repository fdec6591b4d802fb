"""The source of an app shows its command, its environment and its URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from paraph.checks.init.source import read_source
from paraph.checks.init.target_file import target_text
from paraph.errors import ConfigurationError

FLASK = """
import os
from flask import Flask
app = Flask(__name__)
CLIENT_ID = os.environ["ZOOM_CLIENT_ID"]
CLIENT_SECRET = os.getenv("ZOOM_CLIENT_SECRET")
SECRET_TOKEN = os.environ.get('ZOOM_SECRET_TOKEN', "")
LOCALE = os.environ.get("LOCALE")

@app.route("/")
def index(): ...

@app.route("/zoom/login")
def login(): return redirect("https://zoom.us/oauth/authorize?…")

@app.get("/zoom/callback")
def callback(): ...

@app.route("/zoom/events", methods=["POST"])
def events(): ...
"""
FASTAPI = """
api: FastAPI = FastAPI(title="x")
ZOOM = os.environ["ZOOM_URL"]
@api.get("/connect")
@api.get('/oauth/redirect')
@api.post("/webhook")
"""
EXPRESS = """
const app = express();
const { id } = { id: process.env.ZOOM_CLIENT_ID };
app.get("/auth/zoom", passport.authenticate("zoom"));
app.get('/auth/zoom/callback', done);
app.post(`/webhooks/zoom`, hook);
app.listen(process.env.PORT);
"""
ALLAUTH = """
INSTALLED_APPS = ["allauth", "allauth.socialaccount.providers.zoom"]
DATABASES = {"default": {"ENGINE": "sqlite3", "NAME": os.environ.get("DATABASE_PATH")}}
SECRET_KEY, DEBUG = os.environ["DJANGO_SECRET_KEY"], os.environ["DJANGO_DEBUG"]
urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("", index),
    path("home/", home),
    path("logout/home/", bye),
    path("_check/", include("check_hooks")),
    path("webhooks/zoom/", webhook),
]
"""
DJANGO = """
urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("zoom/connect/", connect),
    re_path(r"^zoom/callback/$", callback),
    path("zoom/webhook/", webhook),
]
"""


def test_a_flask_app_is_read(tmp_path: Path) -> None:
    """An app that has Zoom's address in its code is attacked by impersonation."""
    (tmp_path / "server.py").write_text(FLASK, "utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_app.py").write_text('app.route("/install")', "utf-8")
    (tmp_path / "check_hooks.py").write_text('app.route("/callback/webhook")', "utf-8")
    facts = read_source("flask", tmp_path)
    command = ["python", "-m", "flask", "--app", "server:app", "run", "--port", "{port}"]
    assert command == facts.command
    assert ("/zoom/login", "/zoom/callback", "/zoom/events", True) == (
        facts.start,
        facts.redirect,
        facts.webhook,
        facts.knows_zoom_only,
    )
    assert {
        "PORT": "{port}",
        "ZOOM_CLIENT_ID": "{client_id}",
        "ZOOM_CLIENT_SECRET": "{client_secret}",
        "ZOOM_SECRET_TOKEN": "{webhook_secret}",
    } == facts.environment
    assert ["/"] == facts.pages


@pytest.mark.parametrize(
    ("framework", "file", "command", "urls"),
    [
        (
            "fastapi",
            ("service/api.py", FASTAPI),
            ["python", "-m", "uvicorn", "service.api:api", "--port", "{port}"],
            ("/connect", "/oauth/redirect", "/webhook"),
        ),
        (
            "express",
            ("index.js", EXPRESS),
            ["node", "index.js"],
            ("/auth/zoom", "/auth/zoom/callback", "/webhooks/zoom"),
        ),
        (
            "django",
            ("manage.py", DJANGO),
            ["python", "manage.py", "runserver", "--noreload", "127.0.0.1:{port}"],
            ("/zoom/connect/", "/zoom/callback/", "/zoom/webhook/"),
        ),
    ],
)
def test_apps_of_other_frameworks_are_read(
    tmp_path: Path, framework: str, file: tuple[str, str], command: list[str], urls: object
) -> None:
    """The command and the URLs follow the habits of the framework."""
    name, text = file
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text, "utf-8")
    facts = read_source(framework, tmp_path)
    assert f'framework = "{framework}"' in target_text(facts).splitlines()
    assert (command, urls) == (facts.command, (facts.start, facts.redirect, facts.webhook))
    assert not facts.knows_zoom_only


def test_the_start_script_of_a_package_names_the_file(tmp_path: Path) -> None:
    """`npm start` is what the team uses."""
    (tmp_path / "app.js").write_text(EXPRESS, "utf-8")
    (tmp_path / "package.json").write_text('{"scripts": {"start": "node bin/www"}}', "utf-8")
    assert ["node", "bin/www"] == read_source("express", tmp_path).command


def test_variables_without_a_known_value_stand_in_comments(tmp_path: Path) -> None:
    """An app may need more than Zoom's values: the file names every variable that it reads."""
    (tmp_path / "server.py").write_text(FLASK, "utf-8")
    facts = read_source("flask", tmp_path)
    assert ["LOCALE"] == facts.more_variables
    lines = target_text(facts).splitlines()
    assert lines.index("[start.environment]") < lines.index('# LOCALE = ""') < lines.index("[urls]")


def test_an_app_is_checked_as_in_production(tmp_path: Path) -> None:
    """Debug pages are off, a key of sessions has a value, and each run has its own database."""
    (tmp_path / "manage.py").write_text(ALLAUTH, "utf-8")
    facts = read_source("django", tmp_path)
    assert [] == facts.more_variables
    assert ("", "{folder}/check.db") == (
        facts.environment["DJANGO_DEBUG"],
        facts.environment["DATABASE_PATH"],
    )
    assert len(facts.environment["DJANGO_SECRET_KEY"]) > 32
    run = "python manage.py migrate -v 0 && exec python manage.py runserver"
    assert ["sh", "-c", f"{run} --noreload 127.0.0.1:{{port}}"] == facts.command
    assert 'database_file = "{folder}/check.db"' in target_text(facts).splitlines()


def test_the_urls_of_a_library_are_known(tmp_path: Path) -> None:
    """Allauth's URLs stand in no route of the app, and Zoom's address is in its code."""
    (tmp_path / "manage.py").write_text(ALLAUTH, "utf-8")
    facts = read_source("django", tmp_path)
    assert ("/accounts/zoom/login/", "/accounts/zoom/login/callback/", "/webhooks/zoom/") == (
        facts.start,
        facts.redirect,
        facts.webhook,
    )
    assert ["/", "/home/"] == facts.pages
    assert facts.knows_zoom_only


PACKAGES = ['{"scripts": null}', "[1]", '{"scripts": [1]}', pytest.param("[" * 9999, id="nested")]


@pytest.mark.parametrize("content", PACKAGES)
def test_a_package_of_another_form_names_no_file(tmp_path: Path, content: str) -> None:
    """A package.json without usable scripts leaves the file that makes the app."""
    (tmp_path / "app.js").write_text(EXPRESS, "utf-8")
    (tmp_path / "package.json").write_text(content, "utf-8")
    assert ["node", "app.js"] == read_source("express", tmp_path).command


@pytest.mark.parametrize("framework", ["flask", "django", "fastapi", "express"])
def test_a_folder_without_an_app_is_named(tmp_path: Path, framework: str) -> None:
    """The error names the folder and what was looked for."""
    with pytest.raises(ConfigurationError, match=f"is no {framework} app"):
        read_source(framework, tmp_path)
