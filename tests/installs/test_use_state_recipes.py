"""The recipes of docs/how-to/use-state-store.md, run as they are printed."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from installs.install_kit import Kit
from paraph import installs

PAGE = (Path(__file__).parents[2] / "docs/how-to/use-state-store.md").read_text(encoding="utf-8")
LATER = int(time.time()) + 3600


def blocks(title: str, language: str) -> list[str]:
    """The code blocks of one section of the page."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = [one for one in section if one.startswith(title)]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def plain_sql(names: dict[str, Any]) -> None:
    """Create the table and define the function."""
    import sqlite3

    (table,), (code,) = blocks("Plain SQL", "sql"), blocks("Plain SQL", "python")
    with closing(sqlite3.connect("product.db")) as db:
        db.execute(table)
    exec(code, names)


def sqlalchemy_(names: dict[str, Any]) -> None:
    """Create the table and define the function."""
    (code,) = blocks("SQLAlchemy", "python")
    exec(code, names)
    names["metadata"].create_all(names["engine"])


@pytest.fixture(params=[plain_sql, sqlalchemy_])
def use_state(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, int], bool]]:
    """The function of a recipe, with an empty table in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    request.param(names)
    yield names["use_state"]
    if "engine" in names:
        names["engine"].dispose()


def test_one_of_many_is_first(use_state: Callable[[str, int], bool]) -> None:
    """Of eight concurrent calls with one hash exactly one returns True, also later."""
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: use_state("a" * 64, LATER), range(8)))

    assert [False] * 7 + [True] == sorted(found)
    assert not use_state("a" * 64, LATER)
    assert use_state("b" * 64, LATER)


def test_old_rows_go(use_state: Callable[[str, int], bool]) -> None:
    """An expired row is deleted at the next call."""
    assert use_state("a" * 64, int(time.time()) - 1)
    assert use_state("b" * 64, LATER)
    assert use_state("a" * 64, LATER)


def test_an_install_with_the_recipe(use_state: Callable[[str, int], bool]) -> None:
    """The recipe is what a flow needs: the first response counts, and a reload is refused."""
    kit = Kit(use_state=use_state)
    started = kit.start()
    assert "jane" == kit.finish(started.query, started.cookie).user_id
    with pytest.raises(installs.StateUsed):
        kit.finish(started.query, started.cookie)


DJANGO = """
import django, os, sys, threading
from pathlib import Path
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "django.db",
                           "ATOMIC_REQUESTS": True, "OPTIONS": {"timeout": 10}}},
    INSTALLED_APPS=["product"], ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"], USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", SECRET_KEY="only of this test",
)
django.setup()
from django.core.management import call_command
call_command("makemigrations", "product", verbosity=0)
call_command("migrate", verbosity=0)
from django.test import Client
from recipe import use_state

found = []
def call():
    from django.db import connection
    found.append(use_state("a" * 64, 2_000_000_000))
    connection.close()
threads = [threading.Thread(target=call) for _ in range(4)]
[one.start() for one in threads]
[one.join() for one in threads]
print(sorted(found))

for view in ("careful", "careless"):
    for _ in range(2):
        try:
            print(Client().get(f"/{view}/1").content.decode())
        except RuntimeError as error:
            print(error)
"""
URLS = """
from django.db import transaction
from django.http import HttpResponse
from django.urls import path
from recipe import use_state

def view(request, number):
    if use_state(str(number) * 64, 2_000_000_000):
        raise RuntimeError("a failure after the state was used")
    return HttpResponse("used before")

urlpatterns = [
    path("careful/<int:number>", transaction.non_atomic_requests(view)),
    path("careless/<int:number>", lambda request, number: view(request, number)),
]
"""


@pytest.mark.slow
def test_django_keeps_the_state_when_the_view_fails(tmp_path: Path) -> None:
    """One of several calls is first; a marked view keeps the row, an unmarked one says so."""
    model, code = blocks("Django", "python")
    product = tmp_path / "product"
    product.mkdir()
    (product / "__init__.py").touch()
    (product / "models.py").write_text(model)
    (tmp_path / "recipe.py").write_text(code)
    (tmp_path / "urls.py").write_text(URLS)
    done = subprocess.run(
        [sys.executable, "-c", DJANGO], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert "" == done.stderr
    refused = "use_state would be rolled back with the view: use non_atomic_requests"
    assert [
        "[False, False, False, True]",
        *("a failure after the state was used", "used before"),
        *(refused, refused),
    ] == done.stdout.splitlines()
