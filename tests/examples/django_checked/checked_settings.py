"""The settings of the Django example, with the URLs that `paraph check` needs beside its own."""

from tidemark.settings import *  # noqa: F403

ROOT_URLCONF = "checked_urls"
