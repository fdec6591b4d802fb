"""The docstrings of the integration, whose names can be imported in a Django project only."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest
from public_names import PublicName

from django_site import Site

NAMES = (
    "paraph.integrations.django.on",
    "paraph.integrations.django.installation_of",
    "paraph.integrations.django.serving.with_zoom",
    "paraph.integrations.django.templatetags.paraph.connect_zoom",
)


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(site: Site, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each public name shows how it is used, in code that runs in a project."""
    from django.http import JsonResponse
    from django.utils.module_loading import import_string

    from paraph.integrations.django import handlers

    monkeypatch.setattr(handlers, "_registered", [])
    docstring = import_string(name).__doc__
    _before, title, example = docstring.partition("Example:\n")
    assert title
    exec(dedent(example), {"JsonResponse": JsonResponse})


def test_every_public_name_is_documented(site: Site) -> None:
    """Each function of the package is in the list above, and describes its arguments."""
    from django.utils.module_loading import import_string

    from paraph.integrations import django

    # `zoom` is the service itself, a `SyncZoom`.
    functions = {f"{django.__name__}.{name}" for name in django.__all__ if name != "zoom"}
    assert set() == functions - set(NAMES)
    for name in NAMES:
        one = PublicName(name, import_string(name))
        described = re.findall(r"^(\w+):", one.section("Args"), re.MULTILINE)
        assert [] == [name for name in one.arguments if name not in described], one.name
