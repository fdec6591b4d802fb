"""Spellings of the webhook's path, and deliveries in pieces."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote

import pytest

from paraph.checks.cases.webhook_requests import request_of, spellings
from paraph.checks.harness.webhook_steps import Delivery
from paraph.checks.runner import run
from paraph.checks.twin_target import twin_target
from paraph.checks.verdict import Verdict


@pytest.mark.parametrize("path", ["/webhook", "/zoom/webhook"])
def test_every_spelling_reads_as_the_path_to_a_careless_decoder(path: str) -> None:
    """A spelling differs from the path, and equals it once decoded and normalized."""
    found = spellings(f"http://127.0.0.1:1{path}")
    plain = {
        re.sub("/+", "/", posixpath.normpath(unquote(one).split(";")[0].rstrip("\0/")))
        for one in found
    }
    assert {path} == plain
    assert path not in found
    assert len(found) == len(set(found))


def test_a_delivery_in_two_pieces_is_one_request() -> None:
    """The pieces form one request with a correct Content-Length; each has a part of the body."""
    delivery = Delivery("secret-of-the-test", b'{"event":"meeting.ended"}', 1_700_000_000)

    first, second = request_of("http://127.0.0.1:1/webhook", delivery)

    head, _, half = first.partition(b"\r\n\r\n")
    assert delivery.body == half + second
    assert half
    assert second
    assert f"content-length: {len(delivery.body)}".encode() in head
    assert f"x-zm-signature: {delivery.right()}".encode() in head


def test_stalled_bodies_need_addresses_of_their_own() -> None:
    """A case that attacks from other addresses is not applicable where all senders share one."""
    target = twin_target()
    target.urls.base = "http://localhost:{port}"
    (finding,) = run(target, ["wh-stalled-bodies"], told=lambda _finding: None).findings
    assert Verdict.NOT_APPLICABLE is finding.verdict, finding.reason
    assert "127.0.0.1" in finding.reason
