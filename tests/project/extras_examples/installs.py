"""The extra `installs`: one install from start to tokens, and one that is refused."""

from __future__ import annotations

import os
import subprocess
import sys

import httpx

from paraph.installs import InstallFlow, InstallRefused

used: set[str] = set()


def use_state(state_hash: str, expires_at: int) -> bool:
    """A store of one process; a product takes a table."""
    del expires_at
    is_new = state_hash not in used
    used.add(state_hash)
    return is_new


words = [sys.executable, "-m", "paraph", "keys", "new"]
key = subprocess.run(words, capture_output=True, check=True, text=True).stdout.strip()
flow = InstallFlow(
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    redirect_uri=os.environ["PUBLIC_URL"] + "/oauth/redirect",
    sealing_key=key,
    required_scopes=["user:read:user"],
    use_state=use_state,
    authorization_server=os.environ["ZOOM"],
    api_servers=[os.environ["ZOOM"]],
)
redirect = flow.start(subject="acct_42")
cookie = redirect.set_cookie.partition(";")[0]
answer = httpx.get(redirect.location).headers["location"]
result = flow.finish(answer, cookie, subject="acct_42")
assert "acct_42" == result.subject
assert result.tokens.access_token
try:
    flow.finish(answer, cookie)
except InstallRefused as refused:
    assert 400 <= refused.status < 500
else:
    raise AssertionError("a code was accepted twice")
