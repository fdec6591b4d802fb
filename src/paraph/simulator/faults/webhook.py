"""Faults of webhooks: attacks that a receiver must withstand, and reported behaviour of Zoom.

A fault changes a delivery once, before it is first sent; retries repeat the same bytes. A fault
signs again if its purpose requires it. So faults compose in the order in which they were switched
on.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress

from paraph.simulator.faults.transport import compressed
from paraph.simulator.state.fault_registry import check, fault
from paraph.simulator.webhooks.delivery import Delivery, encode_body, utf8_of

_MOST_MEBIBYTES = 64
_DEEPEST = 1_000_000

check("delivery_duplicated", "Every delivery is sent twice at almost the same time.")
check("delivery_reordered", "A delivery is held back and sent after the next one.")
check("delivery_lost", "A delivery is never sent, as if Zoom's retries had ended.")
check("webhook_retry_signed_anew", "A retry has a new timestamp and a new signature.")


@fault("webhook")
def webhook_unsigned(delivery: Delivery) -> None:
    """Neither x-zm-signature nor x-zm-request-timestamp."""
    delivery.headers.pop("x-zm-signature", None)
    delivery.headers.pop("x-zm-request-timestamp", None)


@fault("webhook")
def webhook_timestamp_missing(delivery: Delivery) -> None:
    """x-zm-signature alone."""
    delivery.headers.pop("x-zm-request-timestamp", None)


@fault("webhook")
def webhook_signature_missing(delivery: Delivery) -> None:
    """x-zm-request-timestamp alone."""
    delivery.headers.pop("x-zm-signature", None)


@fault("webhook")
def webhook_timestamp_stale(delivery: Delivery, *, seconds: int = 7260) -> None:
    """Correctly signed `seconds` ago."""
    _shift(delivery, -seconds)


@fault("webhook")
def webhook_timestamp_future(delivery: Delivery, *, seconds: int = 3600) -> None:
    """Correctly signed for `seconds` from now."""
    _shift(delivery, seconds)


@fault("webhook")
def webhook_timestamp_milliseconds(delivery: Delivery) -> None:
    """The header's timestamp is in milliseconds, and signed like that."""
    delivery.timestamp += "000"
    delivery.sign()


@fault("webhook")
def webhook_timestamp_odd(delivery: Delivery, *, value: str = "1e9") -> None:
    """The header's timestamp is `value`, and signed like that."""
    delivery.timestamp = _header_text(value)
    delivery.sign()


@fault("webhook")
def webhook_timestamp_doubled(delivery: Delivery, *, second: str = "1000000000") -> None:
    """The right timestamp, and `second` in a second header."""
    delivery.more_headers.append(("x-zm-request-timestamp", _header_text(second)))


@fault("webhook")
def webhook_secret_wrong(delivery: Delivery) -> None:
    """Signed with the secret of another app."""
    delivery.secret = "another-simulated-webhook-signing-0002"
    delivery.sign()


@fault("webhook")
def webhook_signature_truncated(delivery: Delivery, *, digits: int = 8) -> None:
    """The right signature, cut off after `digits`."""
    _change_signature(delivery, _signature(delivery)[: 3 + max(0, digits)])


@fault("webhook")
def webhook_signature_longer(delivery: Delivery, *, tail: str = "00") -> None:
    """The right signature with `tail` behind it."""
    _change_signature(delivery, _signature(delivery) + _header_text(tail))


@fault("webhook")
def webhook_signature_prefix(delivery: Delivery, *, prefix: str = "v1=") -> None:
    """The right digits behind `prefix`: another version, or a list like `v0=bad,v0=`."""
    _change_signature(delivery, _header_text(prefix) + _signature(delivery)[3:])


@fault("webhook")
def webhook_signature_base64(delivery: Delivery) -> None:
    """The right signature in base64."""
    with suppress(ValueError):
        mac = bytes.fromhex(_signature(delivery)[3:])
        _change_signature(delivery, "v0=" + base64.b64encode(mac).decode())


@fault("webhook")
def webhook_signature_upper_case(delivery: Delivery) -> None:
    """The right signature in upper-case digits."""
    _change_signature(delivery, "v0=" + _signature(delivery)[3:].upper())


@fault("webhook")
def webhook_signature_not_ascii(delivery: Delivery) -> None:
    """A signature of bytes that are not ASCII."""
    _change_signature(delivery, "v0=" + "\xe9" * 64)


@fault("webhook")
def webhook_signature_doubled(delivery: Delivery) -> None:
    """A wrong signature, and the right one in a second header."""
    delivery.more_headers.append(("x-zm-signature", _signature(delivery)))
    _change_signature(delivery, "v0=" + "0" * 64)


@fault("webhook")
def webhook_legacy_token_only(delivery: Delivery) -> None:
    """The retired verification token in `authorization`, and no signature."""
    webhook_unsigned(delivery)
    delivery.headers["authorization"] = "simulated-verification-token"


@fault("webhook")
def webhook_boundary_shifted(delivery: Delivery) -> None:
    """Part of the body is in the timestamp header: the same bytes are signed."""
    moved, colon, rest = delivery.body.partition(b":")
    if colon and moved.isascii():
        delivery.body = rest
        delivery.headers["x-zm-request-timestamp"] = f"{delivery.timestamp}:{moved.decode()}"


@fault("webhook")
def webhook_mixed_escapes(delivery: Delivery) -> None:
    r"""Emoji as `\u` escapes, other characters raw; correctly signed. Printing it differs."""
    delivery.change(payload={**delivery.payload(), "note": "h\u00e9llo \U0001f30a"})
    delivery.body = encode_body(delivery.content(), variant="mixed_escapes")
    delivery.sign()


@fault("webhook")
def webhook_half_character(delivery: Delivery) -> None:
    """Texts in the payload end in half a character (a lone surrogate), correctly signed."""
    payload = delivery.payload()
    payload = {**payload, "note": "Jane \ud83d", "operator": "\udc4d@example.com"}
    delivery.change(payload=payload)


@fault("webhook")
def webhook_body_spaced(delivery: Delivery) -> None:
    """The compact form is signed, the same JSON with spaces is sent."""
    content = delivery.content()
    if content is not None:
        delivery.body = utf8_of(json.dumps(content, ensure_ascii=False))


@fault("webhook")
def webhook_body_pretty(delivery: Delivery) -> None:
    r"""Indented, with `\u` escapes, correctly signed: printing it compactly gives other bytes."""
    content = delivery.content()
    if content is not None:
        delivery.body = json.dumps({**content, "note": "h\u00e9llo"}, indent=2).encode()
        delivery.sign()


@fault("webhook")
def webhook_body_altered(delivery: Delivery, *, event: str = "app_deauthorized") -> None:
    """The body is signed, then its event is changed to `event`."""
    content = delivery.content()
    if content is not None:
        delivery.body = encode_body({**content, "event": event})


@fault("webhook")
def webhook_body_text(delivery: Delivery, *, text: str = '{"event":NaN}') -> None:
    """The body is `text`, correctly signed."""
    delivery.body = text.encode("utf-8", "surrogatepass")
    delivery.sign()


@fault("webhook")
def webhook_key_doubled(delivery: Delivery) -> None:
    """`event` appears twice in the body, with another value first; correctly signed."""
    delivery.body = b'{"event":"foo.bar",' + delivery.body[1:]
    delivery.sign()


@fault("webhook")
def webhook_body_deep(delivery: Delivery, *, depth: int = 100_000) -> None:
    """An array nested `depth` deep, correctly signed."""
    deep = min(max(depth, 0), _DEEPEST)
    delivery.body = b"[" * deep + b"]" * deep
    delivery.sign()


@fault("webhook")
def webhook_body_no_json(delivery: Delivery) -> None:
    """A body that is not JSON, correctly signed."""
    delivery.body = b"\xff\xfe<html>"
    delivery.sign()


@fault("webhook")
def webhook_body_big(delivery: Delivery, *, mebibytes: int = 2) -> None:
    """White space behind the body, correctly signed."""
    delivery.body += b" " * (min(max(mebibytes, 0), _MOST_MEBIBYTES) << 20)
    delivery.sign()


@fault("webhook")
def webhook_body_bomb(delivery: Delivery, *, mebibytes: int = 50) -> None:
    """The body is compressed, expands to `mebibytes`, and is signed as sent."""
    delivery.body = compressed(delivery.body, mebibytes)
    delivery.headers["content-encoding"] = "gzip"
    delivery.sign()


@fault("webhook")
def webhook_body_truncated(delivery: Delivery) -> None:
    """The connection ends before the announced end of the body."""
    delivery.cut_after = len(delivery.body) // 2


@fault("webhook")
def webhook_body_slow(delivery: Delivery, *, seconds: float = 0.15) -> None:
    """The body is sent in sixteen pieces, `seconds` apart."""
    delivery.pause = max(0.0, seconds)


@fault("webhook")
def webhook_body_chunked(delivery: Delivery) -> None:
    """The body's length is not announced."""
    delivery.chunked = True


@fault("webhook")
def webhook_media_type(delivery: Delivery, *, media_type: str = "text/plain") -> None:
    """Another content type with the same bytes."""
    delivery.headers["content-type"] = _header_text(media_type)


@fault("webhook")
def webhook_event_unknown(delivery: Delivery) -> None:
    """An unknown event."""
    delivery.change(event="foo.bar")


@fault("webhook")
def webhook_time_in_seconds(delivery: Delivery) -> None:
    """event_ts is in seconds."""
    delivery.change(event_ts=_seconds(delivery))


@fault("webhook")
def webhook_of_other_app(delivery: Delivery) -> None:
    """`clientid`, and client_id in a payload that has one, name another app."""
    delivery.headers["clientid"] = "AnotherSimulatedClient"
    payload = delivery.payload()
    if "client_id" in payload:
        delivery.change(payload={**payload, "client_id": "AnotherSimulatedClient"})


def _header_text(text: str) -> str:
    """Return text that a header can contain: no line break, only Latin-1, no space around it."""
    printable = "".join(one for one in text if one.isprintable()).strip()
    return printable.encode("latin-1", "replace").decode("latin-1")


def _seconds(delivery: Delivery) -> int:
    """Return the timestamp as a number; 0 if another fault has removed it."""
    text = delivery.timestamp
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


def _shift(delivery: Delivery, seconds: int) -> None:
    delivery.timestamp = str(_seconds(delivery) + seconds)
    delivery.sign()


def _signature(delivery: Delivery) -> str:
    return delivery.headers.get("x-zm-signature", "")


def _change_signature(delivery: Delivery, signature: str) -> None:
    delivery.headers["x-zm-signature"] = signature
