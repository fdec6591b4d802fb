"""The examples in the docstrings of the integration."""

from __future__ import annotations

from textwrap import dedent

import pytest

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
