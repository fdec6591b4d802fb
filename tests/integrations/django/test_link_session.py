"""What a session keeps of the linking, also where a cookie is the session."""

from __future__ import annotations

from typing import Any

from django.core import signing

from django_site import Site
from paraph.integrations.django.link_session import MOST_CLAIMS, LinkSession
from paraph.sealing.encryption_key import new_encryption_key
from paraph.sealing.key_ring import KeyRing

LONGEST_COOKIE = 4096


def test_all_claims_fit_into_a_cookie(site: Site) -> None:
    """Browsers drop a longer cookie; its name and its attributes count as well."""
    session: dict[str, Any] = {"_auth_user_id": "1", "_auth_user_hash": "f" * 64}
    ring = KeyRing.parse([new_encryption_key()])
    kept = LinkSession(session, "jane", ring)
    for number in range(MOST_CLAIMS + 1):
        claim = {"claim": "c" * 43, "expires_at": 2**40, "user_id": "KDcuGIm1QgePTO8WbOqwIQ"}
        name = {"email": "jane.longname@tides.example", "display_name": "Jane Longname Dev"}
        outcome = {"outcome": "", "ends": [], "ended_ids": []}
        kept.keep(f"{number:064}", {**claim, **name, **outcome})
    assert LONGEST_COOKIE - 500 > len(signing.dumps(session, compress=True))
    again = LinkSession(session, "jane", ring)
    assert (kept.nonce, None) == (again.nonce, again.claim(f"{0:064}"))
    assert "" == (again.claim(f"{MOST_CLAIMS:064}") or {})["outcome"]
    assert kept.nonce != LinkSession(session, "ravi", ring).nonce
