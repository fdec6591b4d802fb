"""The settings of the Django example, with the URLs that `paraph check` needs beside its own."""

import os

from tidemark import settings
from tidemark.settings import *  # noqa: F403

ROOT_URLCONF = "checked_urls"

if "PARAPH_REQUIRED_SCOPES" in os.environ:
    # Settings in PARAPH win over variables; the check asks for account level without scopes.
    PARAPH = {name: value for name, value in settings.PARAPH.items() if name != "REQUIRED_SCOPES"}
