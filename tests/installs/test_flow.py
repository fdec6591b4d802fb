"""The install flow: what it sends, what it returns, and what it refuses."""

from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from installs.install_kit import (
    CLIENT_SECRET,
    JANE,
    NOW,
    OLDER_KEY,
    REDIRECT_URI,
    SEALING_KEY,
    TOKENS,
    Kit,
    refusal,
)
from paraph import errors, installs
from paraph.errors import UsageError
from paraph.installs import InstallRefused, InstallResult
from paraph.model.link import PROOF_NAMES
from paraph.oauth.pkce import code_challenge_of
from paraph.secret import Secret
from refused_queries import REFUSED
from vector_files import cases

TOKEN, USER = "/oauth/token", "/v2/users/me"


def refused(kit: Kit, query: str, cookies: Any, **more: Any) -> InstallRefused:
    """The refusal of a finish."""
    with pytest.raises(InstallRefused) as caught:
        kit.finish(query, cookies, **more)
    return caught.value


@pytest.mark.parametrize("way", ["finish", "afinish"])
def test_an_install(way: str) -> None:
    """Both ways return owner, tokens, subject and five proofs, after exactly two requests."""
    kit = Kit()
    started = kit.start(return_to="page-7")
    result: InstallResult = getattr(kit, way)(started.query, started.cookie, subject="acct_42")

    assert ("jane", "acme") == (result.user_id, result.account_id)
    assert ("jane@acme.example", "Jane") == (result.email, result.display_name)
    assert ("meeting:read:meeting", "user:read:user") == result.scopes == result.tokens.scopes
    assert ("acct_42", "page-7") == (result.subject, result.return_to)
    assert ("access-of-jane", "refresh-of-jane") == (
        result.tokens.access_token,
        result.tokens.refresh_token,
    )
    assert (NOW + 3600, "https://api-us.zoom.us") == (
        result.tokens.expires_at,
        result.tokens.api_server,
    )
    assert PROOF_NAMES[:-1] == tuple(proof.name for proof in result.proofs)
    assert {("paraph", NOW)} == {(proof.word, proof.held_at) for proof in result.proofs}
    assert [
        "https://zoom.us/oauth/token",
        "https://api-us.zoom.us/v2/users/me",
    ] == [str(one.url) for one in kit.zoom.seen]
    assert result.set_cookie.startswith(f"{started.name}=; Path=/; Max-Age=0;")


def test_the_redirect_to_zoom() -> None:
    """It carries S256, the exact redirect URI and a state; the cookie is sealed to this browser."""
    started = Kit().start()
    parameters = started.parameters

    assert "S256" == parameters["code_challenge_method"]
    assert 43 == len(parameters["code_challenge"]) == len(started.state)
    assert REDIRECT_URI == parameters["redirect_uri"]
    assert "scope" not in parameters
    attributes = started.redirect.set_cookie.partition("; ")[2]
    assert "Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax" == attributes
    assert re.fullmatch(rf"__Host-paraph-[0-9a-f]{{12}}-{NOW}-[A-Za-z0-9_-]{{22}}", started.name)
    assert started.state not in started.cookie
    assert "acct_42" not in started.cookie


def test_the_code_goes_with_its_own_verifier() -> None:
    """The token request carries the verifier of this flow's challenge and the same redirect URI."""
    kit = Kit()
    first, second = kit.start(), kit.start()
    kit.finish(first.query, f"{second.cookie}; {first.cookie}")

    (form,) = kit.zoom.forms()
    verifier = Secret(form["code_verifier"])
    assert first.parameters["code_challenge"] == code_challenge_of(verifier)
    assert (REDIRECT_URI, "the-code") == (form["redirect_uri"], form["code"])


@pytest.mark.parametrize("case", cases("authorization_response"))
def test_vectors(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each vector has the verdict that it has in the service, and a refused one costs nothing."""
    fixed = Secret("A" * 43)
    monkeypatch.setattr("paraph.installs.app.App.one_use_code", lambda _app: fixed)
    kit = Kit()
    started = kit.start()
    kit.now += 100
    if case["result"] == "valid":
        assert "jane" == kit.finish(case["query"], started.cookie).user_id
        return
    error = refused(kit, case["query"], started.cookie)
    # Without state and error the browser is sent to a clean start; a malformed query has one class.
    alike = {"message_malformed": "authorization_response_invalid"}
    expected = alike.get(case["result"], case["result"])
    assert error.code == expected or isinstance(error, installs.StatelessCode)
    assert [] == kit.zoom.seen
    assert (expected == "authorization_error") == bool(kit.used.hashes)


FORGED = {
    "no cookie": ("{query}", ""),
    "a made-up state": (f"code=c&state={'B' * 43}", "{cookie}"),
    "an empty state": ("code=c&state=", "{cookie}"),
    "two cookies of the state": ("{query}", "{cookie}; {name}=x"),
    "a forged cookie": ("{query}", "{name}=AAAA"),
    "the cookie of another flow": ("{query}", "{other}"),
    "two codes": ("{query}&code=d", "{cookie}"),
    "a control character": ("{query}%00", "{cookie}"),
    "another issuer": ("{query}&iss=https://evil.example", "{cookie}"),
    "an error without state": ("error=access_denied", "{cookie}"),
    "too long": ("{query}&x=" + "x" * 5000, "{cookie}"),
}


@pytest.mark.parametrize("query_and_cookies", FORGED.values(), ids=FORGED)
def test_bad_input_gets_one_response(query_and_cookies: tuple[str, str]) -> None:
    """Whatever is wrong: the same status and text, nothing is stored and nothing is sent."""
    kit = Kit()
    started, other = kit.start(), kit.start()
    parts = {"query": started.query, "cookie": started.cookie, "name": started.name}
    query, cookies = (text.format(**parts, other=other.cookie) for text in query_and_cookies)
    error = refused(kit, query, cookies)

    assert (400, InstallRefused.page_text, "") == (error.status, error.page_text, error.location)
    assert ([], {}) == (kit.zoom.seen, kit.used.hashes)
    shown = f"{error!r} {error} {error.detail} {error.remedy} {error.page_text}"
    assert not [one for one in (started.state, started.value, "the-code") if one in shown]


@pytest.mark.parametrize(("name", "query"), REFUSED)
def test_what_the_service_refuses_is_refused(name: str, query: str) -> None:
    """Each query of the service's own test gets the same status, and costs nothing."""
    kit = Kit()
    for cookies in ("", kit.start().cookie):
        error = refused(kit, query, cookies)
        assert (400, InstallRefused.page_text) == (error.status, error.page_text)
    assert ([], {}) == (kit.zoom.seen, kit.used.hashes)


@pytest.mark.parametrize("case", cases("token_response"))
def test_token_vectors(case: dict[str, Any]) -> None:
    """Each response of the token endpoint has the verdict that it has in the service."""
    kit = Kit(required_scopes=[])
    headers = {"content-type": case["content_type"]} if case["content_type"] else {}
    content = case["body"].encode()
    kit.zoom.will(TOKEN, httpx.Response(case["status"], content=content, headers=headers))
    started = kit.start()
    if case["result"] == "valid":
        assert "at" == kit.finish(started.query, started.cookie).tokens.access_token
        return
    error = refused(kit, started.query, started.cookie)
    assert isinstance(error, installs.CodeRefused) == (case["result"] == "invalid_grant")
    assert isinstance(
        error, installs.CodeRefused | installs.SiteMisconfigured | installs.ZoomUnavailable
    )
    assert 1 == len(kit.zoom.seen)


def test_a_code_without_state_starts_again() -> None:
    """The code is dropped; the browser is sent to a URL without it, and keeps its cookies."""
    kit = Kit()
    error = refused(kit, "code=from-the-marketplace", kit.start().cookie)

    assert isinstance(error, installs.StatelessCode)
    assert (303, "/zoom/connect", None) == (error.status, error.location, error.set_cookie)
    assert ("Location", "/zoom/connect") in error.headers
    assert ([], {}) == (kit.zoom.seen, kit.used.hashes)


def test_ten_minutes() -> None:
    """A flow ends after ten minutes; its cookie is deleted and nothing is used up."""
    kit = Kit()
    started = kit.start()
    kit.now += 601
    error = refused(kit, started.query, started.cookie)

    assert isinstance(error, installs.AuthorizationExpired)
    assert error.set_cookie and started.name in error.set_cookie
    assert ([], {}) == (kit.zoom.seen, kit.used.hashes)
    kit.now += 3600
    assert isinstance(refused(kit, started.query, started.cookie), installs.AuthorizationExpired)


def test_a_state_counts_once() -> None:
    """A reload of the finished URL is refused, and sends nothing."""
    kit = Kit()
    started = kit.start()
    kit.finish(started.query, started.cookie)
    error = refused(kit, started.query, started.cookie)

    assert isinstance(error, installs.StateUsed)
    assert 2 == len(kit.zoom.seen)
    assert NOW + 3600 == next(iter(kit.used.hashes.values()))


@pytest.mark.parametrize("signed_in", ["acct_43", "", None])
def test_another_account_cannot_finish(signed_in: str | None) -> None:
    """The account that is signed in at the end must be the one that started."""
    kit = Kit()
    started = kit.start("acct_42")
    error = refused(kit, started.query, started.cookie, subject=signed_in)

    assert isinstance(error, installs.SubjectChanged)
    assert (403, None) == (error.status, error.set_cookie)
    assert ([], {}) == (kit.zoom.seen, kit.used.hashes)
    assert "acct_42" == kit.finish(started.query, started.cookie, subject="acct_42").subject


@pytest.mark.parametrize("subject", [None, 0, False, 42])
def test_a_flow_begins_for_a_text(subject: Any) -> None:
    """A sign-in that was not checked begins no flow: all visitors without account are equal."""
    with pytest.raises(UsageError, match="not a text"):
        Kit().start(subject=subject)


def test_the_person_says_no() -> None:
    """A refusal at Zoom uses the state up, names a registered error, and sends nothing."""
    kit = Kit()
    started = kit.start()
    query = f"error=access_denied&error_description=%3Cb%3E&state={started.state}"
    error = refused(kit, query, started.cookie)

    assert isinstance(error, installs.ConsentDenied)
    assert ("access_denied", 403) == (error.error, error.status)
    assert error.set_cookie and 1 == len(kit.used.hashes)
    assert [] == kit.zoom.seen


def _raises(_hash: str, _expires_at: int) -> bool:
    raise TimeoutError("the database at db.internal did not respond")


@pytest.mark.parametrize("way", ["finish", "afinish"])
@pytest.mark.parametrize("answer", [_raises, lambda *_: None, lambda *_: 1, lambda *_: "yes"])
def test_a_store_that_fails_stops_the_install(answer: Any, way: str) -> None:
    """An error, or anything but True and False: 503, nothing is sent, the cookie stays."""
    kit = Kit(use_state=answer)
    started = kit.start()
    with pytest.raises(installs.StateStoreUnavailable) as caught:
        getattr(kit, way)(started.query, started.cookie)

    assert (503, None) == (caught.value.status, caught.value.set_cookie)
    assert "db.internal" not in caught.value.page_text + caught.value.detail
    assert [] == kit.zoom.seen


def test_an_asynchronous_store() -> None:
    """`afinish` awaits it; `finish` says what to call instead."""

    async def use_state(state_hash: str, expires_at: int) -> bool:
        return kit.used.use(state_hash, expires_at)

    kit = Kit(use_state=use_state)
    started = kit.start()
    with pytest.raises(UsageError, match="asynchronous"):
        kit.finish(started.query, started.cookie)
    assert "jane" == kit.afinish(started.query, started.cookie).user_id
    with pytest.raises(installs.StateUsed):
        kit.afinish(started.query, started.cookie)


ZOOM_SAYS: dict[str, tuple[Any, type[InstallRefused], int]] = {
    "invalid_grant": (refusal(400, error="invalid_grant"), installs.CodeRefused, 400),
    "wrong secret": (refusal(401, error="invalid_client"), installs.SiteMisconfigured, 424),
    "redirect URI": (refusal(400, error="invalid_request"), installs.SiteMisconfigured, 424),
    "500": (httpx.Response(500), installs.ZoomUnavailable, 503),
    "429": (httpx.Response(429), installs.ZoomUnavailable, 503),
    "HTML": (httpx.Response(200, text="<html>"), installs.ZoomUnavailable, 503),
    "a redirect": (
        httpx.Response(302, headers={"location": "https://evil.example"}),
        installs.SiteMisconfigured,
        424,
    ),
    "no connection": (httpx.ConnectTimeout("slow"), installs.ZoomUnavailable, 503),
    "a timeout": (httpx.ReadTimeout("slow"), installs.ZoomUnavailable, 503),
}


@pytest.mark.parametrize("way", ["finish", "afinish"])
@pytest.mark.parametrize("said", ZOOM_SAYS)
def test_zoom_refuses_the_exchange(said: str, way: str) -> None:
    """Each answer of the token endpoint has its class; the code is sent once."""
    answer, expected, status = ZOOM_SAYS[said]
    kit = Kit()
    kit.zoom.will(TOKEN, answer)
    started = kit.start()
    with pytest.raises(expected) as caught:
        getattr(kit, way)(started.query, started.cookie)

    assert status == caught.value.status
    assert caught.value.set_cookie
    assert 1 == len(kit.zoom.seen)
    assert ("set up" in caught.value.page_text) == (expected is installs.SiteMisconfigured)
    assert isinstance(caught.value, errors.InvalidGrant) == (expected is installs.CodeRefused)


def test_tokens_without_scopes_are_handed_over() -> None:
    """Missing scopes refuse the install; the host gets the tokens, to keep or to revoke them."""
    kit = Kit(required_scopes=["user:read:user", "recording:read"])
    started = kit.start()
    error = refused(kit, started.query, started.cookie)

    assert isinstance(error, installs.ScopesMissing)
    assert (("recording:read",), 403) == (error.missing, error.status)
    assert ("jane", "acme", "access-of-jane") == (
        error.user_id,
        error.account_id,
        error.tokens.access_token,
    )
    assert "access-of-jane" not in f"{error!r} {error} {error.tokens!r}"


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(500), httpx.Response(200, json={"id": "jane"}), httpx.ReadTimeout("slow")],
)
def test_tokens_without_owner_are_handed_over(answer: httpx.Response | Exception) -> None:
    """If Zoom does not name the owner, the host gets the tokens and reads the owner later."""
    kit = Kit()
    kit.zoom.will(USER, answer)
    started = kit.start()
    error = refused(kit, started.query, started.cookie)

    assert isinstance(error, installs.OwnerUnknown)
    owner = kit.flow.owner_of(error.tokens)
    assert (JANE["id"], JANE["account_id"]) == (owner.user_id, owner.account_id)


def test_a_foreign_api_host_gets_no_token() -> None:
    """The token response chooses among the allowed hosts and adds none."""
    kit = Kit()
    kit.zoom.will(TOKEN, httpx.Response(200, json={**TOKENS, "api_url": "https://evil.example"}))
    started = kit.start()
    result = kit.finish(started.query, started.cookie)

    assert "https://api.zoom.us" == result.tokens.api_server
    assert "api.zoom.us" == kit.zoom.seen[-1].url.host


def test_an_older_client_secret_works_during_a_rotation() -> None:
    """While Zoom refuses the newest secret itself, the next older one is tried; only then."""
    kit = Kit(client_secret=["new-secret-7Hq2", CLIENT_SECRET])
    kit.zoom.will(TOKEN, refusal(401, error="invalid_client"))
    started = kit.start()
    assert "jane" == kit.finish(started.query, started.cookie).user_id
    assert 3 == len(kit.zoom.seen)

    kit.zoom.will(TOKEN, refusal(400, error="invalid_grant"))
    again = kit.start()
    assert isinstance(refused(kit, again.query, again.cookie), installs.CodeRefused)
    assert 4 == len(kit.zoom.seen)


def test_a_rotation_of_the_sealing_key() -> None:
    """Flows that an older key sealed are finished; a removed key opens nothing."""
    before, during, after = (
        Kit(sealing_key=keys) for keys in (OLDER_KEY, [SEALING_KEY, OLDER_KEY], [SEALING_KEY])
    )
    started, newer = before.start(), during.start()

    assert "jane" == during.finish(started.query, started.cookie).user_id
    assert "jane" == after.finish(newer.query, newer.cookie).user_id
    assert isinstance(refused(after, started.query, started.cookie), installs.StateMismatch)


@pytest.mark.parametrize("way", ["header", "bytes", "mapping", "pairs"])
def test_cookies_in_any_form(way: str) -> None:
    """The header, a mapping and pairs are the same cookies."""
    kit = Kit()
    started = kit.start()
    forms: dict[str, Any] = {
        "header": f"theme=dark; {started.cookie}",
        "bytes": f"{started.cookie}; a=b".encode(),
        "mapping": {"theme": "dark", started.name: started.value},
        "pairs": [("theme", "dark"), (started.name, started.value)],
    }
    assert "jane" == kit.finish(started.query, forms[way]).user_id


@pytest.mark.parametrize("cookies", [["a=b"], [("a", 1)], {"a": b"b"}, [("a", "b", "c")]])
def test_other_cookies_are_a_mistake(cookies: Any) -> None:
    """What is neither is told to the developer."""
    with pytest.raises(UsageError, match="Cookie header"):
        Kit().finish("code=c&state=s", cookies)


def test_the_newest_five_flows_are_kept() -> None:
    """`start` deletes the oldest flows of a browser beyond five."""
    kit = Kit()
    flows = []
    for _ in range(6):
        kit.now += 1
        flows.append(kit.start())
    redirect = kit.flow.start("acct_42", cookies="; ".join(one.cookie for one in flows))

    deleted = [one.partition("=")[0] for one in redirect.deleted]
    assert {one.name for one in flows[:2]} == set(deleted)
    cookies = [value for name, value in redirect.headers if name == "Set-Cookie"]
    assert [redirect.set_cookie, *redirect.deleted] == cookies


@pytest.mark.parametrize(
    "request_line",
    [
        {"method": "HEAD"},
        {"headers": {"Sec-Purpose": "prefetch;prerender"}},
        {"headers": [("purpose", "prefetch")]},
    ],
)
def test_only_a_person_uses_the_url_up(request_line: dict[str, Any]) -> None:
    """A prefetch and another method than GET get an empty response and change nothing."""
    kit = Kit()
    started = kit.start()
    error = refused(kit, started.query, started.cookie, **request_line)
    assert (204, "", None) == (error.status, error.page_text, error.set_cookie)
    headers = {"User-Agent": "a browser"}
    assert "jane" == kit.finish(started.query, started.cookie, headers=headers).user_id


def test_responses_are_private() -> None:
    """Each response tells browsers and proxies not to keep it, and not to pass its URL on."""
    kit = Kit()
    started = kit.start()
    for headers in (
        started.redirect.headers,
        kit.finish(started.query, started.cookie).headers,
        refused(kit, "code=c", "").headers,
    ):
        found = dict(headers)
        assert ("no-store", "no-referrer") == (found["Cache-Control"], found["Referrer-Policy"])


@pytest.mark.parametrize("arguments", [{"subject": "x" * 256}, {"subject": "a\nb"}, {"subject": 7}])
@pytest.mark.parametrize("return_to", ["", "https://evil.example"])
def test_the_hosts_values_have_a_form(arguments: dict[str, Any], return_to: str) -> None:
    """A subject is printable and short, a return id is never a URL."""
    with pytest.raises(UsageError):
        Kit().flow.start(**arguments)
    if return_to:
        with pytest.raises(UsageError):
            Kit().flow.start("acct_42", return_to=return_to)


def test_refresh_and_revoke() -> None:
    """A refresh returns the next tokens; a dead refresh token is `InvalidGrant`."""
    kit = Kit()
    tokens = kit.flow.refresh("refresh-of-jane")
    assert ("access-of-jane", NOW + 3600) == (tokens.access_token, tokens.expires_at)
    kit.flow.revoke(tokens.access_token)
    kit.zoom.will(TOKEN, refusal(400, error="invalid_grant"))
    with pytest.raises(installs.InvalidGrant):
        kit.flow.refresh("refresh-of-jane")

    grants = [form.get("grant_type") for form in kit.zoom.forms()]
    assert ["refresh_token", None, "refresh_token"] == grants
    assert "access-of-jane" == kit.zoom.forms()[1]["token"]


@pytest.mark.parametrize("token", ["", None])
def test_a_missing_token_is_a_mistake(token: Any) -> None:
    """Zoom may send no refresh token; passing none on is told, and sends nothing."""
    kit = Kit()
    for call in (kit.flow.refresh, kit.flow.revoke):
        with pytest.raises(UsageError, match="token is missing"):
            call(token)
    assert [] == kit.zoom.seen


def test_one_of_many_parallel_requests_counts() -> None:
    """Of eight requests with one URL at the same time, one is exchanged."""
    kit = Kit()
    started = kit.start()

    def finish(_number: int) -> str:
        try:
            return kit.finish(started.query, started.cookie).user_id
        except installs.StateUsed as refused:
            return refused.code

    with ThreadPoolExecutor(8) as threads:
        found = sorted(threads.map(finish, range(8)))
    assert ["jane", *["state_used"] * 7] == found
    assert 1 == len(kit.zoom.forms())


def test_one_debug_line_names_the_cause(caplog: pytest.LogCaptureFixture) -> None:
    """A refusal is one line at level DEBUG, with its code and without anything secret."""
    kit = Kit()
    started = kit.start()
    with caplog.at_level(logging.DEBUG, "paraph.installs"):
        refused(kit, started.query, "")

    (record,) = [one for one in caplog.records if one.name == "paraph.installs"]
    assert (
        "install.refused: no_cookie: the browser sent no cookie of this flow" == record.getMessage()
    )
    assert started.state not in record.getMessage()


def test_every_public_name_is_there() -> None:
    """Every listed name can be imported, and another one is an AttributeError."""
    assert all(getattr(installs, name) for name in installs.__all__)
    assert sorted(installs.__all__) == dir(installs)
    with pytest.raises(AttributeError):
        installs.Flow  # noqa: B018 - The access is the test.
