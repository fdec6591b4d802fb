"""The management commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from django_site import EXAMPLE, SECRET_KEY, Site


def test_the_status_lists_the_fields_of_zooms_form(site: Site) -> None:
    """The URLs follow from the place of the include(); the service is not started."""
    from django.core.management import call_command

    from paraph.integrations.django.project import project

    shown = StringIO()
    call_command("paraph_status", stdout=shown, stderr=StringIO())
    assert "OAuth Redirect URL: https://localhost/integrations/zoom/marketplace\n" in (
        shown.getvalue()
    )
    assert "/integrations/zoom/webhook\n" in shown.getvalue()
    assert project._zoom is None


def test_the_status_names_every_problem(
    project: None, changed: Callable[..., Any], values: dict[str, Any]
) -> None:
    """It fails where the service could not start."""
    from django.core.management import CommandError, call_command

    shown = StringIO()
    with changed(PARAPH={**values, "CLIENT_ID": ""}), pytest.raises(CommandError):
        call_command("paraph_status", stdout=StringIO(), stderr=shown)
    assert "paraph.E001: client_id is missing" in shown.getvalue()


def test_the_command_line_gets_the_projects_settings(site: Site, values: dict[str, Any]) -> None:
    """Lists are written as JSON; URLs that depend on the include() are added."""
    from paraph.integrations.django.project import variables

    given = variables()
    assert values["ENCRYPTION_KEYS"] == json.loads(given["PARAPH_ENCRYPTION_KEYS"])
    assert "https://localhost/integrations/zoom" == given["PARAPH_PUBLIC_URL"]
    assert "https://localhost/integrations/zoom/link" == given["PARAPH_LINK_URL"]


@pytest.mark.slow
def test_the_command_line_runs(site: Site, values: dict[str, Any], tmp_path: Path) -> None:
    """`manage.py paraph installations list` reads the project's database."""
    environment = {
        **os.environ,
        **{
            f"PARAPH_{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
            if name not in {"DATABASE_URL", "REQUIRED_SCOPES", "APP_NAME"}
        },
        "SECRET_KEY": SECRET_KEY,
        "TIDEMARK_DATA": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "manage.py", "paraph", "installations", "list"],
        cwd=EXAMPLE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (ended.returncode, ended.stderr)
    assert ended.stdout.startswith("installation")
