"""Describes users as the REST API does, with the fields of `users/me`."""

from __future__ import annotations

import hashlib
from typing import Any

from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import User


def stable_number(text: str, digits: int) -> int:
    """Return a number that looks random and never changes for the same text.

    Args:
        text: an id.
        digits: the number of decimal digits.
    """
    least: int = 10 ** (digits - 1)
    return least + int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % (9 * least)


@behaviour(
    "REST API",
    "users/me: id and account_id of 22 characters, type, role, pmi, verified and 30 more fields",
    "documented",
    source="github zoom/rivet-javascript: users.d.ts; django-allauth's sample",
)
def describe(user: User) -> dict[str, Any]:
    """Return every field of a user."""
    first, _, last = user.display_name.partition(" ")
    admin = user.role == "admin"
    pmi = stable_number(user.id, 10)
    return {
        "id": user.id,
        "first_name": first,
        "last_name": last,
        "display_name": user.display_name,
        "email": user.email,
        "type": user.type,
        "role_name": "Admin" if admin else "Member",
        "role_id": "1" if admin else "2",
        "pmi": pmi,
        "use_pmi": False,
        "personal_meeting_url": f"https://us02web.zoom.us/j/{pmi}",
        "vanity_url": "",
        "timezone": user.timezone,
        "verified": int(user.verified),
        "dept": user.dept,
        "created_at": "2024-02-01T09:00:00Z",
        "user_created_at": "2024-02-01T09:00:00Z",
        "last_login_time": "2026-01-15T09:00:00Z",
        "last_client_version": "6.3.0.52884(mac)",
        "pic_url": "",
        "cms_user_id": "",
        "jid": f"{user.id.lower()}@xmpp.zoom.us",
        "group_ids": [],
        "im_group_ids": [],
        "account_id": user.account_id,
        "account_number": stable_number(user.account_id, 9),
        "language": user.language,
        "location": "",
        "phone_country": "",
        "phone_number": user.phone_number,
        "phone_numbers": [],
        "job_title": user.job_title,
        "company": "",
        "manager": "",
        "pronouns": "",
        "pronouns_option": 1,
        "status": user.status,
        "cluster": "us02",
        "login_types": [100],
        "plan_united_type": "",
        "employee_unique_id": "",
        "custom_attributes": [],
    }


def describe_in_list(user: User) -> dict[str, Any]:
    """Return the fields that a list has of each user."""
    whole = describe(user)
    names = (
        "id",
        "first_name",
        "last_name",
        "display_name",
        "email",
        "type",
        "pmi",
        "timezone",
        "verified",
        "dept",
        "created_at",
        "last_login_time",
        "last_client_version",
        "group_ids",
        "im_group_ids",
        "language",
        "status",
        "role_id",
        "user_created_at",
    )
    return {name: whole[name] for name in names}
