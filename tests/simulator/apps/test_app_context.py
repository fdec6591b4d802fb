from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from paraph.errors import AppContextRejected, PeerError, UsageError
from paraph.secret import Secret
from paraph.simulator.apps.app_context import PLACES, VARIANTS, mint, seal
from paraph.simulator.state.world import default_world
from paraph.zoom.app_context import AppContext, open_app_context
from simulator.socket_receiver import Numbers
from vector_files import FOLDER

NOW = 1_800_000_000.25
VECTORS = json.loads((FOLDER / "app_context.json").read_text(encoding="utf-8"))["contexts"]


def minted(**options: Any) -> str:
    """A context of the default world's first app and user."""
    world = default_world()
    numbers = Numbers()
    return mint(world.apps[0], world.users[0], now=NOW, random_bytes=numbers, **options)


def opened(header: str, *, now: float = NOW) -> AppContext:
    """A context as the kit reads it."""
    app = default_world().apps[0]
    return open_app_context(
        header.encode("latin-1"),
        client_secret=Secret(app.client_secret),
        client_id=app.client_id,
        now=now,
    )


def parts(header: str) -> tuple[bytes, bytes, bytes, bytes]:
    """iv, aad, cipher text and tag of a header."""
    raw = base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
    iv, rest = raw[1 : 1 + raw[0]], raw[1 + raw[0] :]
    (aad_length,) = struct.unpack("<H", rest[:2])
    aad, rest = rest[2 : 2 + aad_length], rest[2 + aad_length :]
    (length,) = struct.unpack("<i", rest[:4])
    return iv, aad, rest[4 : 4 + length], rest[4 + length :]


@pytest.mark.parametrize(
    "vector",
    [one for one in VECTORS if one["comment"] == "decoded by the algorithm of Zoom's sample"],
)
def test_the_layout_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    """The vector's claims under its secret and iv are its header, byte for byte."""
    claims = {
        "typ": "meeting",
        "uid": "UIhTkdB5Q123456789abcd",
        "mid": "wceIoD0lTySwype123456==",
        "aud": "ClientIdClientIdClient",
        "iss": "marketplace.zoom.us",
        "ts": 1785368934000,
        "exp": 1785369054000,
        "act": "",
    }
    plain = json.dumps(claims, separators=(",", ":")).encode()
    sealed = seal(vector["client_secret"], plain, iv=bytes(range(12)))
    assert vector["header"] == base64.urlsafe_b64encode(sealed).decode().rstrip("=")


@pytest.mark.parametrize("place", sorted(PLACES))
def test_a_context_says_who_and_where(place: str) -> None:
    """The kit opens it: the user, the place, two minutes to live."""
    world = default_world()
    context = opened(minted(place=place, act="open:7"))
    assert (place, world.users[0].id) == (context.typ, context.uid)
    assert (world.apps[0].client_id, "marketplace.zoom.us") == (context.aud, context.iss)
    assert 120 == context.expires_at - context.issued_at
    assert "open:7" == context.claims["act"]
    assert (context.mid is not None) == (place in {"meeting", "webinar"})


def test_no_two_contexts_share_an_iv() -> None:
    """A repeated iv would break AES-GCM."""
    world = default_world()
    numbers = Numbers()
    ivs = {
        parts(mint(world.apps[0], world.users[0], now=NOW, random_bytes=numbers))[0]
        for _ in range(100)
    }
    assert 100 == len(ivs)


VALID = {"guest", "aad", "padded", "standard_alphabet"}


@pytest.mark.parametrize("variant", sorted(VALID))
@pytest.mark.parametrize("place", sorted(PLACES))
def test_unusual_and_valid_variants_are_opened(variant: str, place: str) -> None:
    """What Zoom might send, the kit takes."""
    context = opened(minted(variant=variant, place=place))
    assert (context.uid is None) == (variant == "guest")


def test_the_padded_variant_has_padding() -> None:
    """Whatever the claims, the header ends in at least one `=`."""
    assert all(minted(variant="padded", place=place).endswith("=") for place in PLACES)


@pytest.mark.parametrize("variant", sorted(set(VARIANTS.documentation()) - VALID))
def test_every_other_variant_is_refused(variant: str) -> None:
    """What Zoom never sends, the kit refuses, and never fails on."""
    with pytest.raises(PeerError):
        opened(minted(variant=variant))


def test_the_short_tag_is_a_true_one_cut_short() -> None:
    """A decoder that takes any length of tag would accept it: the bytes are right."""
    whole, short = parts(minted()), parts(minted(variant="short_tag"))
    assert (whole[0], whole[2], whole[3][:4]) == (short[0], short[2], short[3])


def test_the_bad_tag_differs_in_one_bit() -> None:
    """Everything else is as it was."""
    whole, bad = parts(minted()), parts(minted(variant="bad_tag"))
    assert whole[:3] == bad[:3]
    assert 1 == int.from_bytes(whole[3], "big").__xor__(int.from_bytes(bad[3], "big")).bit_count()


def test_variants_compose() -> None:
    """Several are joined with a plus sign."""
    header = minted(variant="guest+padded+aad")
    assert opened(header).uid is None
    assert header.endswith("=")


def test_a_context_expires_after_two_minutes() -> None:
    """The kit refuses it at the very moment."""
    header = minted()
    opened(header, now=NOW + 119.9)
    with pytest.raises(AppContextRejected):
        opened(header, now=NOW + 120)


@pytest.mark.parametrize("options", [{"place": "moon"}, {"variant": "x"}, {"variant": "guest+x"}])
def test_what_there_is_not_is_named(options: dict[str, str]) -> None:
    """A wrong place or variant is refused with those that there are."""
    with pytest.raises(UsageError, match=r"meeting|bad_tag"):
        minted(**options)


def test_every_variant_is_documented() -> None:
    """One line each."""
    assert all(text.endswith((".", "!")) for text in VARIANTS.documentation().values())
