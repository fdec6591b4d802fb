"""The extra `client`: the management API of a running service."""

from __future__ import annotations

import os

from paraph import Client, NotFound

with Client(os.environ["SERVICE"], os.environ["API_KEY"]) as client:
    assert [] == list(client.installations())
    try:
        client.installation("acct_42").status()
    except NotFound:
        pass
    else:
        raise AssertionError("an installation that does not exist was found")
