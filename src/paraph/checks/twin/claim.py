"""The second half of the twin's flow: identity, the claim, and its confirmation."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from dataclasses import dataclass
from html import escape
from typing import Any

from paraph.checks.twin.session import Session, Sessions
from paraph.checks.twin.settings import Settings
from paraph.checks.twin.vault import Link, Vault
from paraph.checks.twin.web import Request, Response, button, page, see
from paraph.checks.twin.zoom_client import ZoomClient, ZoomError

LIFETIME = 600


@dataclass(slots=True)
class Pending:
    """A pending authorization request."""

    state: str
    binding: str
    verifier: str
    subject: str
    session: str
    issued_at: float
    redirect_uri: str
    server: str = ""
    return_to: str = ""


@dataclass(slots=True)
class Claim:
    """Tokens of a Zoom user that wait for a confirmation."""

    id: str
    subject: str
    holder: str
    csrf: str
    link: Link
    made_at: float


class Claims:
    """Makes claims from tokens, and links from confirmed claims."""

    def __init__(
        self, settings: Settings, vault: Vault, sessions: Sessions, zoom: ZoomClient
    ) -> None:
        self.settings, self.vault, self.sessions, self.zoom = settings, vault, sessions, zoom
        self.pending: dict[str, Pending] = {}
        self.claims: dict[str, Claim] = {}
        self._finished: set[str] = set()

    def _stub(self, subject: str) -> Link:
        now = self.settings.now()
        return Link(
            os.urandom(6).hex(),
            subject,
            self.settings.client_id,
            "?",
            "unknown",
            "",
            "",
            "",
            "",
            now,
            now,
            1,
        )

    async def _identify(
        self, session: Session | None, pending: Pending | None, tokens: dict[str, Any]
    ) -> Response:
        weak, began = self.settings.is_weak, self.settings.now()
        host = str(tokens.get("api_url", "")) if weak("tok-api-url") else ""
        try:
            status, user = await asyncio.to_thread(
                self.zoom.get, tokens["access_token"], "/v2/users/me", host
            )
        except ZoomError:
            status, user = 0, None
        if not (
            status == 200
            and isinstance(user, dict)
            and _is_text(user.get("id"))
            and _is_text(user.get("account_id"))
        ):
            if weak("tok-identity-fail", "cb-half-install") and session is not None:
                self._store(self._stub(session.subject))
                return see("/account")
            await asyncio.to_thread(self.zoom.revoke, tokens["access_token"])
            return page("Zoom did not say who you are", status=400)
        link = self._link(tokens, user, began)
        subject = pending.subject if pending else (session.subject if session else "")
        if weak("cb-state-cross-user") and session is not None:
            subject = session.subject
        if weak("mp-tenant-param"):
            given: dict[str, str] = tokens.get("given", {})
            subject = given.get("uid", given.get("tenant", subject))
        return self._arrived(session, pending, link, subject)

    def _link(self, tokens: dict[str, Any], user: dict[str, Any], began: float) -> Link:
        weak = self.settings.is_weak
        user_id, account_id = str(user["id"]), str(user["account_id"])
        if weak("tok-id-mismatch"):
            user_id = _decoded_uid(tokens["access_token"]) or user_id
        if weak("tok-id-collation"):
            user_id, account_id = user_id.lower().strip(), account_id.lower()
        return Link(
            os.urandom(9).hex(),
            "",
            self.settings.client_id,
            account_id,
            user_id,
            str(user.get("display_name", ""))[:200],
            str(user.get("email", "")),
            tokens["access_token"],
            str(tokens.get("refresh_token", "")),
            began + tokens["expires_in"],
            began,
            1,
        )

    def _arrived(
        self, session: Session | None, pending: Pending | None, link: Link, subject: str
    ) -> Response:
        weak = self.settings.is_weak
        link.subject = subject
        if session is not None:
            self._finished.add(session.id)
        if weak("tok-email-match"):
            known = self.vault.links("email = ?", link.email)
            link.subject = known[0].subject if known else subject
        silent = weak(
            *("cb-state-missing", "cb-state-missing-no-pending", "cb-state-missing-after-success"),
            *("cb-state-empty", "cb-state-forged", "mp-no-auto-link", "start-csrf-link"),
            *("cb-state-cross-user", "tok-relink-other-tenant", "cb-state-carries-url"),
        )
        if silent and link.subject:
            self._store(link)
            back = pending.return_to if pending else ""
            return see(back if weak("cb-state-carries-url") and back else "/account")
        claim = Claim(
            os.urandom(18).hex(),
            subject,
            session.id if session else "",
            os.urandom(16).hex(),
            link,
            self.settings.now(),
        )
        self.claims[claim.id] = claim
        if pending is not None and pending.return_to:
            self._store(link)
            return see(pending.return_to)
        if weak("cb-clean-url"):
            return self.claim_page(claim, session)
        response = see("/claim")
        response.set_cookie("__Host-claim", claim.id)
        if weak("ck-no-token"):
            response.set_cookie("last", base64.b64encode(link.access.encode()).decode())
        return response

    # ------------------------------------------------------------ confirmation

    def claim_page(self, claim: Claim | None, session: Session | None) -> Response:
        """Build the confirmation page, which names both accounts."""
        claim = self._live(claim)
        if claim is None:
            return page("There is nothing to confirm", status=404)
        if session is None:
            return see("/sign-in?back=/claim")
        link = claim.link
        name = link.name if self.settings.is_weak("tok-profile-xss") else escape(link.name)
        moved = self.vault.links("user_id = ? and account_id = ?", link.user_id, link.account_id)
        other = [one for one in moved if one.subject != session.subject]
        warning = ""
        if other:
            holder = escape(other[0].subject)
            warning = f"<p>This Zoom user is already linked to {holder} and would be moved.</p>"
        whose = f"Zoom user {name} ({escape(link.email)})"
        text = f"<p>Link {whose} to the account {escape(session.subject)}?</p>{warning}"
        return page(
            "Link these accounts?",
            text + button("/claim", "Link", csrf=session.csrf, claim=claim.id),
        )

    def _live(self, claim: Claim | None) -> Claim | None:
        if claim is None or self.settings.is_weak("mp-pending-expiry"):
            return claim
        return claim if self.settings.now() - claim.made_at <= LIFETIME else None

    def claim_of(self, request: Request) -> Claim | None:
        """Return the claim that this browser holds."""
        return self.claims.get(request.cookie("__Host-claim"))

    def confirm(self, request: Request, session: Session | None) -> Response:
        """Handle the POST that confirms a claim."""
        weak = self.settings.is_weak
        if weak("mp-pending-confirm"):
            claim = self.claims.get(request.form.get("claim", ""))
            session = session or (Session("", claim.subject, "") if claim else None)
        else:
            claim = self._live(self.claim_of(request))
        if session is None or claim is None:
            return page("There is nothing to confirm", status=403)
        if self.sessions.forgery(request, session, "mp-pending-confirm"):
            return page("This form has expired", status=403)
        subject = claim.link.subject or claim.subject or session.subject
        fixed = weak(
            "start-fixation-url", "cb-session-fixation", "mp-tenant-param", "tok-email-match"
        )
        if subject != session.subject and not fixed:
            self.claims.pop(claim.id, None)
            return page("Another user began this", status=403)
        self.claims.pop(claim.id, None)
        if self._was_removed(claim.link):
            return page("Zoom says that the app was removed", status=409)
        claim.link.subject = subject
        self._store(claim.link)
        response = see("/account")
        response.set_cookie("__Host-claim", "", age=0)
        return response

    def _was_removed(self, link: Link) -> bool:
        if self.settings.is_weak("deauth-early"):
            return False
        found = self.vault.rows(
            "select 1 from tombstones where client_id=? and account_id=? and user_id=? and at>=?",
            *(link.client_id, link.account_id, link.user_id, link.granted_at),
        )
        return bool(found)

    def _store(self, link: Link) -> None:
        weak = self.settings.is_weak
        old = self.vault.links("user_id = ? and account_id = ?", link.user_id, link.account_id)
        if weak("tok-overwrite-tenant"):
            old += self.vault.links("account_id = ?", link.account_id)
        if not weak("tok-relink-other-tenant"):
            old += self.vault.links("subject = ?", link.subject)
            for one in old:
                self.vault.delete(one)
        self.vault.put(link)
        self.vault.run(
            "insert or replace into profiles values (?,?,?)", link.user_id, link.subject, link.name
        )

    def delete_expired(self) -> None:
        """Delete expired claims and revoke their tokens."""
        if self.settings.is_weak("mp-pending-expiry"):
            return
        for claim in list(self.claims.values()):
            if self._live(claim) is None:
                self.claims.pop(claim.id)
                self.zoom.revoke(claim.link.access)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200


def _decoded_uid(token: str) -> str:
    try:
        middle = token.split(".")[1]
        return str(
            json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))).get("uid", "")
        )
    except (ValueError, IndexError, AttributeError):
        return ""
