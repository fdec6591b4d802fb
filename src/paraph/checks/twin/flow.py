"""The twin's authorization flow: start and redirection endpoint."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from functools import partial
from urllib.parse import unquote, urlencode

from paraph.checks.twin.claim import LIFETIME, Claims, Pending
from paraph.checks.twin.session import Session
from paraph.checks.twin.web import Request, Response, button, page, see
from paraph.checks.twin.zoom_client import ZoomError

_ONCE = ("code", "state", "error", "iss")
_MAX_PENDING = 400


class Flow(Claims):
    """The steps of the authorization flow."""

    _counter = 0

    # ------------------------------------------------------------ start

    def start_page(self, request: Request, session: Session | None) -> Response:
        """Handle GET of the start: show a button, but do not begin the flow."""
        if session is None:
            return see("/sign-in")
        if self.settings.is_weak("start-csrf-link"):
            return self.begin(request, session)
        return page("Connect Zoom", button("/connect", "Connect Zoom", csrf=session.csrf))

    def start(self, request: Request, session: Session | None) -> Response:
        """Handle POST of the start: redirect to Zoom."""
        if session is None:
            return see("/sign-in")
        if self.sessions.forgery(request, session, "start-csrf-link"):
            return page("This form has expired", status=403)
        if self.settings.is_weak("start-fixation-url"):
            return see(f"/go?{urlencode({'as': session.subject})}")
        return self.begin(request, session)

    def begin(self, request: Request, session: Session, *, subject: str = "") -> Response:
        """Build the authorization request and redirect to it."""
        weak, query = self.settings.is_weak, dict(request.query)
        self._counter += 1
        verifier = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
        if weak("start-pkce-unique"):
            verifier = "v" * 43
        if weak("tok-verifier"):
            verifier = verifier[:20]
        state = self._state(session, query)
        binding = os.urandom(24).hex()
        second = query.get("server") == "second" and self.settings.second_server
        redirect_uri = self.settings.redirect_uri
        if second and not weak("cb-mixup"):
            redirect_uri += "/second"
        pending = Pending(
            state,
            binding,
            verifier,
            subject or session.subject,
            session.id,
            self.settings.now(),
            redirect_uri,
            self.settings.second_server if second else self.settings.zoom,
            query.get("return_to", query.get("next", "")) if weak("cb-open-redirect") else "",
        )
        self._remember(pending)
        if weak("start-parallel-tabs"):
            session.notes["verifier"] = verifier
        response = see(
            f"{pending.server}/oauth/authorize?{urlencode(self._parameters(request, pending))}"
        )
        if not weak("start-browser-bound"):
            response.set_cookie(self._cookie(state), binding)
        return response

    def _state(self, session: Session, query: dict[str, str]) -> str:
        if self.settings.is_weak("start-state-entropy"):
            return f"state-{self._counter:024d}"
        if self.settings.is_weak("cb-state-carries-url"):
            content = {
                "uid": session.subject,
                "returnTo": query.get("return_to", "/account"),
                "n": os.urandom(8).hex(),
            }
            return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
        return base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()

    def _remember(self, pending: Pending) -> None:
        now = self.settings.now()
        if self.settings.is_weak("net-state-exhaustion"):
            self.vault.run("insert into floods(content) values (?)", os.urandom(16384).hex())
        elif len(self.pending) >= _MAX_PENDING and not self.settings.is_weak("cb-state-expired"):
            self.pending = {k: p for k, p in self.pending.items() if now - p.issued_at <= LIFETIME}
            while len(self.pending) >= _MAX_PENDING:
                self.pending.pop(next(iter(self.pending)))
        self.pending[pending.state] = pending

    def _parameters(self, request: Request, pending: Pending) -> dict[str, str]:
        weak = self.settings.is_weak
        digest = hashlib.sha256(pending.verifier.encode()).digest()
        sent = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": pending.redirect_uri,
            "state": pending.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if weak("start-pkce-s256"):
            sent["code_challenge"] = pending.verifier
            del sent["code_challenge_method"]
        if weak("cb-code-injection"):
            del sent["code_challenge"], sent["code_challenge_method"]
            pending.verifier = ""
        if weak("start-param-injection"):
            sent |= dict(request.query)
        if weak("start-host-spoof"):
            host = request.header("x-forwarded-host") or request.header("host")
            sent["redirect_uri"] = f"http://{host}/redirect"
        if weak("start-no-secrets"):
            sent["client_secret"] = self.settings.client_secret
        return sent

    def _cookie(self, state: str) -> str:
        if self.settings.is_weak("cb-cookie-tossing"):
            return "flow"
        return f"__Host-flow-{hashlib.sha256(state.encode()).hexdigest()[:10]}"

    # ------------------------------------------------------------ redirection endpoint

    async def redirection(
        self, request: Request, session: Session | None, *, checked: bool = True
    ) -> Response:
        """Handle a request to the redirection endpoint."""
        weak = self.settings.is_weak
        head = request.method == "HEAD"
        prefetch = "prefetch" in request.header("sec-purpose") + request.header("purpose")
        if (head or prefetch) and not weak("cb-head-prefetch"):
            return page("", status=405 if head else 503)
        if request.method not in {"GET", "HEAD"} and not weak(
            "cb-query-vs-body", "cb-state-type-confusion"
        ):
            return page("Method not allowed", status=405)
        refusal = self._shape(request)
        if refusal is not None:
            return refusal
        given = self._given(request)
        if "error" in given:
            return self._error(request, session, given)
        if weak("cb-implicit-token") and "access_token" in given and session is not None:
            return await self._identify(
                session, None, {"access_token": given["access_token"], "expires_in": 60}
            )
        if not checked:
            return await self._exchange(session, None, given)
        if self._is_stateless(given, session):
            return await self._stateless(request, session, given)
        pending = self._find(given.get("state", ""))
        if pending is None:
            lax = weak("cb-state-forged", "cb-flood-random-codes") or self._confused(request, given)
            lax = lax or (weak("cb-state-empty") and given.get("state") == "")
            return await self._exchange(session, None, given) if lax else self._unknown()
        return await self._continue(request, session, pending, given)

    def _shape(self, request: Request) -> Response | None:
        weak, raw = self.settings.is_weak, request.query_string
        if len(raw) > 4096:
            return page("Something broke", status=500 if weak("cb-oversize") else 400)
        names = [name for name, _ in request.query]
        if any(names.count(one) > 1 for one in _ONCE) and not weak("cb-dup-params"):
            return page("A parameter is repeated", status=400)
        known = {*_ONCE, "error_description", "error_uri"}
        if weak("cb-unknown-params") and set(names) - known:
            return page("Unknown parameter", status=400)
        for name, value in request.query:
            if name in _ONCE and not (value.isascii() and value.isprintable()):
                return page("Malformed request", status=500 if weak("cb-encodings") else 400)
        return None

    def _given(self, request: Request) -> dict[str, str]:
        given = dict(request.query)
        if self.settings.is_weak("cb-query-vs-body"):
            given = {**dict(request.cookies), **given, **request.form}
        return given

    def _error(self, request: Request, session: Session | None, given: dict[str, str]) -> Response:
        weak = self.settings.is_weak
        pending = self._find(given.get("state", ""))
        if weak("cb-error-and-code") and "code" in given and pending is not None:
            return self._late(pending, given)
        if weak("cb-error-no-state") and session is not None:
            self.pending = {s: p for s, p in self.pending.items() if p.session != session.id}
        if (
            pending is not None
            and self._is_bound(request, session, pending)
            and not weak("cb-error-denied")
        ):
            self.pending.pop(pending.state, None)
        if weak("cb-error-xss"):
            return page(
                "Zoom refused",
                given.get("error", "") + given.get("error_description", ""),
                status=400,
            )
        return page("Zoom was not connected", "<p>You can try again.</p>", status=400)

    def _late(self, pending: Pending, given: dict[str, str]) -> Response:
        self.pending.pop(pending.state, None)
        try:
            self.zoom.exchange(
                pending.server, given["code"], pending.verifier, pending.redirect_uri
            )
        except ZoomError:
            return page("Zoom refused", status=400)
        return page("Connected")

    def _is_stateless(self, given: dict[str, str], session: Session | None) -> bool:
        if "state" not in given:
            return True
        return given["state"] == "" and not (self.settings.is_weak("cb-state-empty") and session)

    async def _stateless(
        self, request: Request, session: Session | None, given: dict[str, str]
    ) -> Response:
        weak = self.settings.is_weak
        if "code" not in given:
            return page("Nothing to do here", status=400)
        lax = weak("cb-state-missing", "cb-flood-random-codes")
        if session is not None:
            lax = lax or weak("cb-state-missing-no-pending")
            lax = lax or (weak("cb-state-missing-after-success") and session.id in self._finished)
            lax = lax or (weak("mp-no-auto-link") and bool(request.header("referer")))
        if lax:
            return await self._exchange(session, None, given)
        if self.settings.mode == "pending":
            return await self._hold(session, given)
        return see("/marketplace")

    def _confused(self, request: Request, given: dict[str, str]) -> bool:
        if not self.settings.is_weak("cb-state-type-confusion"):
            return False
        odd = any(name.startswith("state[") for name in given) or b"true" in request.body
        return odd or given.get("state") in {"true", "null", "0"}

    def _find(self, state: str) -> Pending | None:
        weak = self.settings.is_weak
        if weak("cb-state-mutated"):
            wanted = unquote(state).strip(" \n\0").lower()
            return next(
                (p for s, p in self.pending.items() if s.lower().startswith(wanted) and wanted),
                None,
            )
        if weak("cb-state-carries-url") and state not in self.pending:
            return self._carried(state)
        found = self.pending.get(state)
        if found is None or weak("cb-state-expired"):
            return found
        return found if self.settings.now() - found.issued_at <= LIFETIME else None

    def _carried(self, state: str) -> Pending | None:
        try:
            content = json.loads(base64.urlsafe_b64decode(state + "=" * (-len(state) % 4)))
            uid, back = content["uid"], content["returnTo"]
        except (ValueError, KeyError, TypeError):
            return None
        return Pending(
            state,
            "",
            "",
            uid,
            "",
            self.settings.now(),
            self.settings.redirect_uri,
            self.settings.zoom,
            back,
        )

    def _is_bound(self, request: Request, session: Session | None, pending: Pending) -> bool:
        weak = self.settings.is_weak
        loose = weak(
            *("cb-state-cross-browser", "cb-session-fixation", "start-browser-bound"),
            *("start-fixation-url", "cb-state-cross-user", "cb-state-carries-url"),
            *("cb-state-forged", "cb-state-mutated"),
        )
        if weak("cb-cookie-tossing"):
            return pending.binding in [v for n, v in request.cookies if n == "flow"]
        if loose:
            return True
        same = session is not None and session.id == pending.session
        return same and request.cookie(self._cookie(pending.state)) == pending.binding

    async def _continue(
        self, request: Request, session: Session | None, pending: Pending, given: dict[str, str]
    ) -> Response:
        weak = self.settings.is_weak
        if not self._is_bound(request, session, pending):
            return self._unknown()
        if "code" not in given or (not given["code"] and not weak("cb-code-missing")):
            if weak("cb-code-missing"):
                return await self._exchange(session, pending, {**given, "code": ""})
            return page("There is no code", status=400)
        second = request.path.endswith("/second")
        if not weak("cb-mixup") and second != (pending.server != self.settings.zoom):
            self.pending.pop(pending.state, None)
            return self._unknown()
        missing = (
            self.settings.issuer_required and "iss" not in given and not weak("cb-iss-removed")
        )
        wrong = given.get("iss", pending.server) != pending.server and not weak("cb-iss-mismatch")
        kept = weak("cb-state-replayed", "cb-code-replay")
        if weak("cb-code-race"):
            response = await self._exchange(session, pending, given)
            self.pending.pop(pending.state, None)
            return response
        if not kept:
            self.pending.pop(pending.state, None)
        if missing or wrong:
            return self._unknown()
        response = await self._exchange(session, pending, given)
        if not kept:
            response.set_cookie(self._cookie(pending.state), "", age=0)
        return response

    def _unknown(self) -> Response:
        return page(
            "This did not begin here", '<p><a href="/connect">Start again</a></p>', status=400
        )

    # ------------------------------------------------------------ after the authorization response

    async def _exchange(
        self, session: Session | None, pending: Pending | None, given: dict[str, str]
    ) -> Response:
        weak = self.settings.is_weak
        if weak("leak-logs"):
            self.settings.log(f"authorization response with {given}")
        verifier = pending.verifier if pending else ""
        if weak("start-parallel-tabs") and session is not None:
            verifier = session.notes.get("verifier", verifier)
        server = pending.server if pending else self.settings.zoom
        uri = pending.redirect_uri if pending else self.settings.redirect_uri
        work = partial(self.zoom.exchange, server, given.get("code", ""), verifier, uri)
        try:
            tokens = work() if weak("tok-slow") else await asyncio.to_thread(work)
        except ZoomError as error:
            if weak("cb-code-rejected") and session is not None:
                self._store(self._stub(session.subject))
                return see("/account")
            return page(
                "Zoom did not accept this",
                f"<p>{error if weak('tok-html-200') else ''}</p>",
                status=400,
            )
        if not self.settings.scopes <= set(str(tokens.get("scope", "")).split()):
            if weak("tok-scope-down") and session is not None:
                return self.begin(Request("GET", "/", b"/", b"", [], b"", "", "http"), session)
            await asyncio.to_thread(self.zoom.revoke, tokens["access_token"])
            return page(
                "A permission is missing", "<p>Allow every scope, then try again.</p>", status=400
            )
        return await self._identify(session, pending, {**tokens, "given": given})

    async def _hold(self, session: Session | None, given: dict[str, str]) -> Response:
        """Exchange the code in pending mode: the claim has no owner until this browser confirms."""
        response = await self._exchange(None, None, given)
        if self.settings.is_weak("mp-pending-unowned") and session is not None:
            for claim in self.claims.values():
                claim.link.subject = session.subject
                self._store(claim.link)
        return response
