"""The twin's removals: `app_deauthorized`, and events that arrive after it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from paraph.checks.twin.concerned import account_of, users_of
from paraph.checks.twin.settings import Settings
from paraph.checks.twin.tokens import Tokens
from paraph.checks.twin.vault import Link, Vault
from paraph.checks.twin.zoom_client import ZoomError

# The time of a grant and the time of an event come from different clocks.
_NEAR = 60


class Removals:
    """Ends installations and keeps tombstones to refuse late events and late installations."""

    def __init__(self, settings: Settings, vault: Vault, tokens: Tokens) -> None:
        self.settings, self.vault, self.tokens = settings, vault, tokens
        self._memory: list[tuple[float, Link]] = []

    async def removed(self, payload: dict[str, Any], signed_at: int) -> int:
        """Process `app_deauthorized`, signed at `signed_at`; return the HTTP status."""
        weak = self.settings.is_weak
        if payload.get("client_id") != self.settings.client_id and not weak("deauth-wrong-client"):
            return 200
        at = _instant(payload.get("deauthorization_time"))
        # Zoom reports removals after they happened, in whole seconds.
        future = at > signed_at + 1 and not weak("deauth-future")
        user_id, account_id = str(payload.get("user_id")), str(payload.get("account_id"))
        self.vault.run(
            "insert into tombstones values (?,?,?,?)",
            self.settings.client_id,
            account_id,
            user_id,
            min(at, signed_at + 1) if future else at,
        )
        found = self._concerned(account_id, user_id)
        if not found and weak("deauth-idempotent"):
            return 500
        for link in found:
            if self._must_ask(link, user_id, future=future):
                ended = not await self._is_alive(link)
            else:
                # The time in the event is in whole seconds.
                ended = at + 1 >= link.granted_at or weak("deauth-replay-reinstall")
            if ended:
                self._erase(link, payload)
        return 200

    def _concerned(self, account_id: str, user_id: str) -> list[Link]:
        weak = self.settings.is_weak
        whole = self.settings.level == "account" and not weak("deauth-other-admin")
        if whole or weak("deauth-other-tenant"):
            return self.vault.links("account_id = ?", account_id)
        return self.vault.links("account_id = ? and user_id = ?", account_id, user_id)

    def _must_ask(self, link: Link, user_id: str, *, future: bool) -> bool:
        """Return True if Zoom must be asked: another admin's removal, or one from the future."""
        weak = self.settings.is_weak
        if weak("deauth-other-tenant", "deauth-wrong-client", "deauth-forged"):
            return False
        return future or (link.user_id != user_id and not weak("deauth-stale-admin"))

    async def _is_alive(self, link: Link) -> bool:
        """Return True if Zoom still accepts the grant; a failing Zoom leaves it alive."""
        current = await self.tokens.fresh(link)
        if current is None or current.dead:
            return False
        try:
            status, _ = await asyncio.to_thread(
                self.tokens.zoom.get, current.access, "/v2/users/me"
            )
        except ZoomError:
            return True
        return status != 401

    def _erase(self, link: Link, payload: dict[str, Any]) -> None:
        if self.settings.is_weak("deauth-valid"):
            return
        kept = payload.get("user_data_retention") is True
        if self.settings.is_weak("deauth-retention"):
            kept = payload.get("user_data_retention", "") not in {False, ""}
        if not kept:
            self.vault.run("delete from profiles where user_id = ?", link.user_id)
        if self.settings.is_weak("deauth-durable"):
            self._memory.append((self.settings.now() + 1.0, link))
            return
        self.vault.delete(link)

    def work_off(self) -> None:
        """Process the removals that a weak app queues in memory."""
        now = self.settings.now()
        due = [one for one in self._memory if one[0] <= now]
        self._memory = [one for one in self._memory if one[0] > now]
        for _, link in due:
            self.vault.delete(link)

    def forged_notice(self, payload: dict[str, Any]) -> None:
        """End the installation that an event names; a weak app takes it for its own notice."""
        for link in self.vault.links("user_id = ?", str(payload.get("user_id"))):
            self.vault.delete(link)

    # ------------------------------------------------------------ events

    def handle(self, body: bytes) -> None:
        """Store an event that concerns an installed user."""
        content = json.loads(body)
        payload = content.get("payload", {})
        if self._concerns_us(content, payload) or self.settings.is_weak("wh-tenant"):
            kept = json.dumps(content, ensure_ascii=False)
            self.vault.run("insert into effects(body) values (?)", kept)

    def _concerns_us(self, content: dict[str, Any], payload: dict[str, Any]) -> bool:
        weak = self.settings.is_weak
        account = account_of(payload)
        users = users_of(str(content.get("event")), payload, host_only=weak("deauth-odd-places"))
        links = self.vault.links("account_id = ?", account) if account else []
        if not account and not weak("wh-no-account"):
            links = [one for user in users for one in self.vault.links("user_id = ?", user)]
        if not links or weak("deauth-late-event"):
            return bool(links)
        removed = {user for user in users if self._was_removed(user, account)}
        if self.settings.level == "account" or not removed:
            return True
        moment = content.get("event_ts")
        return any(
            one.user_id in users and (one.user_id not in removed or self._is_of_grant(moment, one))
            for one in links
        )

    def _was_removed(self, user: str, account: str) -> bool:
        return bool(
            self.vault.rows(
                "select 1 from tombstones where user_id = ? and (account_id = ? or ? = '')",
                user,
                account,
                account,
            )
        )

    def _is_of_grant(self, moment: object, link: Link) -> bool:
        """Return True if an event belongs to the current grant and not to a removed one."""
        if self.settings.is_weak("deauth-event-reinstalled"):
            return True
        if not isinstance(moment, int):
            return False
        return moment / 1000 >= link.granted_at - _NEAR


def _instant(text: object) -> float:
    try:
        return (
            datetime.strptime(str(text)[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()
        )
    except ValueError:
        return 0.0
