"""Facts that the source of an app shows: routes, environment variables, the command."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from paraph.checks.init.target_file import HOOK_KEY, Facts
from paraph.errors import ConfigurationError

_SUFFIXES = {".py", ".js", ".mjs", ".cjs", ".ts"}
_SKIPPED = {"node_modules", "venv", ".venv", "env", "tests", "test", "migrations", "dist"}
_MAX_FILES, _MAX_BYTES = 400, 400_000

_ROUTE = re.compile(
    r"\b(?:route|get|post|all|use|add_url_rule|api_route)\(\s*[\"'`](/[\w/.-]*)[\"'`]"
    r"|\b(?:re_)?path\(\s*r?[\"']\^?([\w/.-]*)\$?[\"'](?!\s*,\s*include\()"
)
_VARIABLE = re.compile(
    r"(?:os\.environ(?:\.get)?[\[(]|os\.getenv\(|\benv(?:\.\w+)?\(|process\.env\[)\s*"
    r"[\"']([A-Z][A-Z0-9_]+)[\"']|process\.env\.([A-Z][A-Z0-9_]+)"
)
# Zoom's address in the code, or a library that has it.
_ZOOM_ADDRESS = re.compile(r"https://(?:api\.)?zoom\.us\b|passport-zoom|providers[./]zoom\b")
_ALLAUTH = re.compile(
    r"\bpath\(\s*r?[\"']\^?([\w/.-]*)[\"']\s*,\s*include\(\s*[\"']allauth\.urls[\"']"
)
# The first pattern that a path or a variable contains decides.
_REDIRECT = re.compile(r"callback|redirect|oauth2?/(?:return|complete)")
_WEBHOOK = re.compile(r"webhook|/events?\b|hook")
_START = re.compile(r"install|connect|login|authorize|oauth|start|zoom")
_PAGE = re.compile(r"^/$|account|profile|dashboard|home|/me$")
_NO_PAGE = re.compile(r"api/|log-?(?:in|out)|sign-?(?:in|out|up)|delete|remove|disconnect|hook")
_ONLY_HERE = "a-value-for-the-check-only-0123456789abcdef"
_VALUES = (
    (re.compile(r"CLIENT_ID"), "{client_id}"),
    (re.compile(r"CLIENT_SECRET"), "{client_secret}"),
    (re.compile(r"WEBHOOK|SECRET_TOKEN"), "{webhook_secret}"),
    (re.compile(r"REDIRECT|CALLBACK"), "{redirect_uri}"),
    (re.compile(r"ZOOM.*(?:AUTHORIZE|AUTH)_?(?:URL|URI)$"), "{zoom}/oauth/authorize"),
    (re.compile(r"ZOOM.*TOKEN_?(?:URL|URI)$"), "{zoom}/oauth/token"),
    (re.compile(r"ZOOM.*API.*(?:URL|BASE|HOST)$"), "{zoom}/v2"),
    (re.compile(r"ZOOM.*(?:URL|BASE|HOST|ORIGIN)$|^ZOOM$"), "{zoom}"),
    (re.compile(r"(?:PUBLIC|BASE|APP|SITE)_URL$"), "{url}"),
    (re.compile(r"^PORT$"), "{port}"),
    # As in production: a debug page shows more than an app's own error page. The text "0" is true
    # for code that asks whether the variable has a value.
    (re.compile(r"(?:^|_)DEBUG$"), ""),
    (re.compile(r"SECRET_KEY$|(?:SESSION|COOKIE|APP|FLASK)_SECRET$"), _ONLY_HERE),
)
# The variable of a database file.
_DATABASE = re.compile(r"(?:^|_)(?:DATABASE|DB|SQLITE)(?:_?(?:PATH|FILE))?$")
_DATABASE_FILE = "{folder}/check.db"
_MADE_BY = {
    "flask": re.compile(r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:flask\.)?Flask\(", re.MULTILINE),
    "fastapi": re.compile(r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:fastapi\.)?FastAPI\(", re.MULTILINE),
    "express": re.compile(r"=\s*express\(\)"),
}


def read_source(framework: str, folder: Path) -> Facts:
    """Read the source of an app.

    Args:
        framework: a key of `paraph.checks.advice.FRAMEWORKS`.
        folder: the folder with the source; it is the working folder of the command.

    Raises:
        ConfigurationError: the folder has no app of this framework.
    """
    texts = dict(_texts(folder))
    everything = "\n".join(texts.values())
    names = dict.fromkeys(first or second for first, second in _VARIABLE.findall(everything))
    names.pop(HOOK_KEY, None)
    known = {name: value for name in names if (value := _value(name)) is not None}
    environment = {"PORT": "{port}"} | known
    stored = next((one for one in names if _DATABASE.search(one)), "")
    stored = stored if "sqlite" in everything else ""
    environment |= {stored: _DATABASE_FILE} if stored else {}
    routes = _routes(everything)
    urls = {**_urls(routes), **(_allauth_urls(everything) if framework == "django" else {})}
    zoom = any("{zoom}" in value for value in environment.values())
    return Facts(
        name=folder.resolve().name,
        framework=framework,
        command=_command(framework, folder, texts, is_new=bool(stored)),
        environment=environment,
        more_variables=[name for name in names if name not in environment],
        start=urls["start"],
        redirect=urls["redirect"],
        webhook=urls["webhook"],
        pages=[one for one in routes if _is_page(one, urls.values())],
        database_file=environment.get(stored, ""),
        knows_zoom_only=bool(_ZOOM_ADDRESS.search(everything)) and not zoom,
    )


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the relative path and the text of each source file, those at the top first."""
    files = [one for one in folder.rglob("*") if one.suffix in _SUFFIXES and one.is_file()]
    relative = sorted((one.relative_to(folder) for one in files), key=lambda o: (len(o.parts), o))
    # The test hooks of an earlier run are no part of the app.
    chosen = [o for o in relative if not _SKIPPED & set(o.parts) and o.stem != "check_hooks"]
    for one in chosen[:_MAX_FILES]:
        if (folder / one).stat().st_size <= _MAX_BYTES:
            yield one.as_posix(), (folder / one).read_text("utf-8", "replace")


def _routes(text: str) -> list[str]:
    found = ("".join(one) for one in _ROUTE.findall(text))
    return ["/" + one.lstrip("/") for one in dict.fromkeys(found)]


def _is_page(path: str, urls: Collection[str]) -> bool:
    known = path in urls or _NO_PAGE.search(path.lower())
    return bool(_PAGE.search(path.lower())) and not known


def _allauth_urls(text: str) -> Mapping[str, str]:
    """Return the URLs of django-allauth's Zoom provider, which stand in no route of the app."""
    found = _ALLAUTH.search(text)
    if found is None or "allauth.socialaccount.providers.zoom" not in text:
        return {}
    start = f"/{found[1]}zoom/login/"
    return {"start": start, "redirect": f"{start}callback/"}


def _value(name: str) -> str | None:
    return next((value for pattern, value in _VALUES if pattern.search(name)), None)


def _urls(paths: Sequence[str]) -> Mapping[str, str]:
    """Choose the URLs by the words in their paths; each path serves one purpose."""
    left = list(paths)
    found: dict[str, str] = {}
    for name, pattern in (("redirect", _REDIRECT), ("webhook", _WEBHOOK), ("start", _START)):
        found[name] = next((one for one in left if pattern.search(one.lower())), "")
        left = [one for one in left if one != found[name]]
    return found


def _command(framework: str, folder: Path, texts: Mapping[str, str], *, is_new: bool) -> list[str]:
    """Return the command; `is_new` if each run has a new database, which Django must migrate."""
    if framework == "django":
        if not (folder / "manage.py").is_file():
            raise _missing(framework, folder, "manage.py")
        command = ["python", "manage.py", "runserver", "--noreload", "127.0.0.1:{port}"]
        migrated = f"python manage.py migrate -v 0 && exec {' '.join(command)}"
        return ["sh", "-c", migrated] if is_new else command
    pattern = _MADE_BY[framework]
    found = [(file, made) for file, text in texts.items() if (made := pattern.search(text))]
    if not found:
        raise _missing(framework, folder, f"a file that makes a {framework} app")
    file, made = found[0]
    if framework == "express":
        return ["node", _started_file(folder) or file]
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if framework == "flask":
        where = f"{module}:{made[1]}"
        return ["python", "-m", "flask", "--app", where, "run", "--port", "{port}"]
    return ["python", "-m", "uvicorn", f"{module}:{made[1]}", "--port", "{port}"]


def _started_file(folder: Path) -> str:
    """Return the file that `package.json` starts; "" if it does not say so."""
    try:
        content = json.loads((folder / "package.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    scripts = content.get("scripts") if isinstance(content, dict) else None
    started = str(scripts.get("start", "")) if isinstance(scripts, dict) else ""
    found = re.fullmatch(r"node\s+(\S+)", started.strip())
    return found[1] if found else ""


def _missing(framework: str, folder: Path, what: str) -> ConfigurationError:
    return ConfigurationError(
        [f"{folder.resolve()} is no {framework} app: it has not {what}"],
        remedy="Run the command in the folder of the app, or pass --url with the running app.",
    )
