"""`{% connect_zoom %}`: the connection of the signed-in person, with a link to change it."""

from __future__ import annotations

from typing import Any

from django import template

from paraph.errors import NotFound, ParaphError
from paraph.integrations.django.project import project, subject_of

register = template.Library()

# Phases in which calls of Zoom are refused until the person or Zoom has acted.
_STATES = {"active": "connected", "needs_reauthorization": "reconnect"}


@register.inclusion_tag("paraph/connect.html", takes_context=True)
def connect_zoom(context: dict[str, Any]) -> dict[str, Any]:
    """Show who is connected, or a link to connect or reconnect; nothing to a signed-out person.

    The template `paraph/connect.html` decides about the text; a project may replace it.

    Args:
        context: of the template; it needs `request`.

    Example:
        from django.template import Template

        Template("{% load paraph %}{% connect_zoom %}")
    """
    subject = subject_of(context["request"])
    if subject is None:
        return {"state": ""}
    try:
        found = project.zoom().installation(subject).status()
    except NotFound:
        return {"state": "absent"}
    except ParaphError:
        # A page that shows a button must not fail with Zoom.
        return {"state": "unavailable"}
    return {"state": _STATES.get(found.phase, "undecided"), "zoom": found.zoom}
