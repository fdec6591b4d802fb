"""`manage.py paraph …`: the command line of paraph with the settings of this project."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import REMAINDER
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from paraph.errors import ConfigurationError
from paraph.integrations.django.project import variables


class Command(BaseCommand):
    """Run a command of paraph in a process of its own, which gets the settings as variables."""

    help = "Run paraph's command line with the project's settings, as in: paraph installations list"
    requires_system_checks: Sequence[str] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take everything behind the name."""
        parser.add_argument("words", nargs=REMAINDER, metavar="...", help="a command of paraph")

    def handle(self, *, words: list[str], **_options: Any) -> None:
        """Run the command and end with its exit code."""
        try:
            given = variables()
        except ConfigurationError as error:
            raise CommandError("\n".join((*error.problems, error.remedy)), returncode=2) from None
        command = [sys.executable, "-m", "paraph", *words]
        environment = {**os.environ, **given}  # noqa: TID251 - A child process gets all of it.
        ended = subprocess.run(command, env=environment, check=False)  # noqa: S603 - Python itself.
        sys.exit(ended.returncode)
