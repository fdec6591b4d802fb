"""The twin's use of tokens: API calls, one refresh at a time, revocation."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace

from paraph.checks.twin.session import Sessions
from paraph.checks.twin.settings import Settings
from paraph.checks.twin.vault import Link, Vault
from paraph.checks.twin.zoom_client import ZoomClient, ZoomError

MEETINGS = "/v2/users/me/meetings"
_EARLY = 60


class Tokens:
    """Uses, refreshes and revokes the tokens of existing links."""

    def __init__(
        self, settings: Settings, vault: Vault, sessions: Sessions, zoom: ZoomClient
    ) -> None:
        self.settings, self.vault, self.sessions, self.zoom = settings, vault, sessions, zoom
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._stuck: set[str] = set()

    async def use(self, subject: str) -> int:
        """Call Zoom's API for an account; return the status for the app's response."""
        found = self.vault.links("subject = ?", subject)
        if not found:
            return 404
        link = await self.fresh(found[0])
        if link is None or link.dead or not link.access:
            return 409
        try:
            status, _ = await asyncio.to_thread(self.zoom.get, link.access, MEETINGS)
        except ZoomError:
            return 502
        return 200 if status < 300 else 502

    async def fresh(self, link: Link) -> Link | None:
        """Return the link with a valid access token, refreshed if needed; None if that fails."""
        if link.expires_at - self.settings.now() > _EARLY:
            return link
        if self.settings.is_weak("ref-single-flight"):
            return await self._refresh(link)
        async with self._locks[link.id]:
            now = self.vault.links("id = ?", link.id)
            if not now:
                return None
            if now[0].dead or now[0].expires_at - self.settings.now() > _EARLY:
                return now[0]
            return await self._refresh(now[0])

    async def _refresh(self, link: Link) -> Link | None:
        weak = self.settings.is_weak
        if link.user_id in self._stuck:
            return None
        if weak("ref-lost-answer"):
            self._stuck.add(link.user_id)
        fields = {"grant_type": "refresh_token", "refresh_token": link.refresh}
        try:
            tokens = await asyncio.to_thread(self.zoom.token, self.settings.zoom, fields)
        except ZoomError as error:
            if weak("ref-transient") or (
                error.code == "invalid_grant" and not weak("ref-invalid-grant")
            ):
                self._update(link, replace(link, dead=True))
            return None
        self._stuck.discard(link.user_id)
        if not weak("ref-user-swap") and not await self._is_same(link, tokens["access_token"]):
            self._update(link, replace(link, dead=True))
            return None
        rotated = tokens.get("refresh_token") or ("" if weak("ref-not-rotated") else link.refresh)
        newer = replace(
            link,
            access=tokens["access_token"],
            refresh=link.refresh if weak("ref-rotated-saved") else rotated,
            expires_at=self.settings.now() + tokens["expires_in"],
            generation=link.generation + 1,
        )
        return newer if self._update(link, newer) else None

    async def _is_same(self, link: Link, token: str) -> bool:
        try:
            status, user = await asyncio.to_thread(self.zoom.get, token, "/v2/users/me")
        except ZoomError:
            return True
        if status != 200 or not isinstance(user, dict):
            return True
        return (user.get("id"), user.get("account_id")) == (link.user_id, link.account_id)

    def _update(self, old: Link, new: Link) -> bool:
        """Update the link only if its row is unchanged since it was read."""
        with self.vault.lock:
            now = self.vault.links("id = ? ", old.id)
            if not self.settings.is_weak("deauth-refresh-race", "ref-single-flight") and (
                not now or now[0].generation != old.generation
            ):
                return False
            self.vault.put(new)
            return True

    async def disconnect(self, subject: str, link_id: str) -> bool:
        """Disconnect at the user's request: delete the link at once, then revoke it at Zoom."""
        found = self.vault.links("id = ?", link_id)
        if not found or (found[0].subject != subject and not self.settings.is_weak("idor-install")):
            return False
        self.vault.delete(found[0])
        self.vault.run("delete from profiles where user_id = ?", found[0].user_id)
        if not self.settings.is_weak("rev-on-disconnect"):
            await asyncio.to_thread(self.zoom.revoke, found[0].access)
        return True
