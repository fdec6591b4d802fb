from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import ConfigurationError, SealBroken, StorageError, UnknownEncryptionKey
from paraph.sealing.encryption_key import new_encryption_key
from paraph.sealing.key_ring import KeyRing, secret_hash
from paraph.secret import Secret
from storage.sample import NEW_KEY, OLD_KEY, ring

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "aes_gcm.json").read_text())
PINNED = KeyRing.parse([VECTORS["key"]])
CASE = VECTORS["cases"][0]
SEALED = bytes.fromhex(CASE["sealed"])
PLACE = bytes.fromhex(CASE["associated_data"])
KEY_ID_END = 2 + SEALED[1]


@pytest.mark.parametrize("case", VECTORS["cases"])
def test_what_was_sealed_once_opens_for_ever(case: dict[str, Any]) -> None:
    """The format, the label and the cipher are pinned by ciphertexts that another code made."""
    opened = PINNED.open(
        case["use"],
        bytes.fromhex(case["sealed"]),
        associated_data=bytes.fromhex(case["associated_data"]),
    )

    assert bytes.fromhex(case["plaintext"]) == opened


@pytest.mark.parametrize("size", [0, 1, 16, 5_000])
def test_what_is_sealed_opens(size: int) -> None:
    """Sealing and opening are inverse, whatever the size."""
    plaintext = bytes(size)

    sealed = PINNED.seal("row", plaintext, associated_data=b"place")

    assert plaintext == PINNED.open("row", sealed, associated_data=b"place")


def test_no_spoiled_byte_passes() -> None:
    """Version, lengths, key id, nonce, ciphertext and tag: one changed bit anywhere is refused."""
    for place in range(len(SEALED)):
        for bit in range(8):
            spoiled = bytearray(SEALED)
            spoiled[place] ^= 1 << bit
            with pytest.raises((SealBroken, UnknownEncryptionKey)):
                PINNED.open("row", bytes(spoiled), associated_data=PLACE)


@pytest.mark.parametrize("place", [0, *range(KEY_ID_END, len(SEALED))])
def test_damage_behind_the_key_id_is_a_broken_seal(place: int) -> None:
    """Only a foreign key id may mean "try later": any other damage is called what it is."""
    spoiled = bytearray(SEALED)
    spoiled[place] ^= 1

    with pytest.raises(SealBroken):
        PINNED.open("row", bytes(spoiled), associated_data=PLACE)


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_a_truncated_ciphertext_is_refused(length: int) -> None:
    """No prefix of a ciphertext opens."""
    with pytest.raises(SealBroken):
        PINNED.open("row", SEALED[:length], associated_data=PLACE)


def test_a_longer_ciphertext_is_refused() -> None:
    """Nothing may follow the tag."""
    with pytest.raises(SealBroken):
        PINNED.open("row", SEALED + b"\0", associated_data=PLACE)


@given(st.binary(max_size=200))
def test_whatever_bytes_arrive_only_storage_errors_leave(sealed: bytes) -> None:
    """Random bytes never open and never raise anything else."""
    with pytest.raises(StorageError):
        PINNED.open("row", sealed, associated_data=PLACE)


@pytest.mark.parametrize(
    ("use", "place"), [("cookie/1", PLACE), ("row", PLACE + b"x"), ("row", b"")]
)
def test_another_use_or_place_does_not_open(use: str, place: bytes) -> None:
    """A ciphertext is bound to its use and to its associated data."""
    with pytest.raises(SealBroken):
        PINNED.open(use, SEALED, associated_data=place)


def test_the_key_id_is_authenticated() -> None:
    """A ciphertext that was given another key id does not open, though the material is the same."""
    same_material = KeyRing.parse(["2026b:" + VECTORS["key"].partition(":")[2]])
    renamed = SEALED.replace(b"2026a", b"2026b")

    with pytest.raises(SealBroken):
        same_material.open("row", renamed, associated_data=PLACE)


def test_a_key_that_is_not_in_the_ring_is_unknown() -> None:
    """A missing key is an operator's mistake, told apart from damage, and nothing is echoed."""
    with pytest.raises(UnknownEncryptionKey) as caught:
        ring().open("row", SEALED, associated_data=PLACE)

    assert "2026a" not in str(caught.value)


def test_rotation_seals_with_the_newest_key_and_opens_with_all() -> None:
    """With two keys the first seals, and what the second sealed still opens."""
    sealed_before = ring(OLD_KEY).seal("row", b"before", associated_data=b"")
    both = ring(NEW_KEY, OLD_KEY)
    sealed_after = both.seal("row", b"after", associated_data=b"")

    assert ("new", "old") == (both.key_id_of(sealed_after), both.key_id_of(sealed_before))
    assert "new" == both.key_id
    assert b"before" == both.open("row", sealed_before, associated_data=b"")
    with pytest.raises(UnknownEncryptionKey):
        ring(OLD_KEY).open("row", sealed_after, associated_data=b"")


def test_each_day_has_a_key_of_its_own() -> None:
    """A value that was sealed for one day opens, and under no other day or as undated."""
    sealed = PINNED.seal("row", b"body", associated_data=b"place", day=20_786)

    assert (b"body", 20_786, "2026a") == (
        PINNED.open("row", sealed, associated_data=b"place"),
        PINNED.day_of(sealed),
        PINNED.key_id_of(sealed),
    )
    for name in (b"2026a/20787", b"2026a/2078", b"2026a/", b"2026a"):
        other = bytes((1, len(name))) + name + sealed[2 + len(b"2026a/20786") :]
        with pytest.raises(SealBroken):
            PINNED.open("row", other, associated_data=b"place")


def test_code_without_days_takes_a_dated_value_for_one_of_an_unknown_key() -> None:
    """The header keeps the layout of version 1, so that an older replica tries again later."""
    sealed = PINNED.seal("row", b"body", associated_data=b"place", day=9)
    assert (1, 11, b"2026a/00009") == (sealed[0], sealed[1], sealed[2:13])
    assert None is PINNED.day_of(SEALED)


def test_nonces_have_96_bits_and_do_not_repeat() -> None:
    """Each sealing draws a new nonce of 12 bytes, whose bits are all used."""
    nonces = set()
    for _ in range(5_000):
        sealed = PINNED.seal("row", b"", associated_data=b"")
        assert KEY_ID_END + 12 + 16 == len(sealed)
        nonces.add(int.from_bytes(sealed[KEY_ID_END : KEY_ID_END + 12], "big"))
    ever_set, always_set = 0, (1 << 96) - 1
    for nonce in nonces:
        ever_set |= nonce
        always_set &= nonce

    assert 5_000 == len(nonces)
    assert ((1 << 96) - 1, 0) == (ever_set, always_set)


def test_derived_keys_are_kept_in_a_bounded_number() -> None:
    """Cookie uses change every hour, so a long-lived process must let old ones go."""
    keys = ring()
    for hour in range(500):
        keys.seal(f"cookie/{hour}", b"", associated_data=b"")

    assert keys._cipher.cache_info().currsize <= 64


def test_a_new_key_is_one_that_the_ring_reads() -> None:
    """`new_encryption_key` prints what `parse` takes, and never the same twice."""
    one, two = new_encryption_key(), new_encryption_key()

    assert one != two
    assert one.partition(":")[0] == KeyRing.parse([one, two]).key_id


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "k",
        ":" + "A" * 43,
        "k:" + "A" * 42,
        "k:" + "A" * 44,
        "k:" + "A" * 42 + "+",
        "k:" + "A" * 43 + "==",
        "k k:" + "A" * 43,
        "k" * 33 + ":" + "A" * 43,
        "k:" + "A" * 43 + "\n",
        "ä:" + "A" * 43,
    ],
)
def test_a_bad_key_is_named_by_its_place_and_never_shown(bad: str) -> None:
    """The problem says which one is bad, and its text stays out of every output."""
    with pytest.raises(ConfigurationError) as caught:
        KeyRing.parse([OLD_KEY, bad])

    assert ("encryption_keys[1] is not what `paraph keys new` prints",) == caught.value.problems


def test_every_problem_is_reported_at_once() -> None:
    """Two bad keys and a repeated id make three problems, and the good key none."""
    with pytest.raises(ConfigurationError) as caught:
        KeyRing.parse(["bad", OLD_KEY, "worse", OLD_KEY])

    assert ["[0]", "[2]", "[3]"] == [line[15:18] for line in caught.value.problems]


def test_an_empty_ring_is_refused() -> None:
    """Nothing can be sealed without a key, so nothing starts."""
    with pytest.raises(ConfigurationError):
        KeyRing.parse([])


def test_a_ring_shows_no_key() -> None:
    """Printing a ring gives nothing away."""
    assert "b2xk" not in repr(ring()) and "oldold" not in repr(ring())


def test_a_secret_is_kept_as_its_sha_256() -> None:
    """One-use codes are found again by a plain SHA-256 of their text."""
    assert hashlib.sha256("cödé".encode()).digest() == secret_hash(Secret("cödé"))


CLASSES = json.loads((Path(__file__).parents[1] / "vectors" / "sealed_values.json").read_text())


@pytest.mark.parametrize("case", CLASSES["opens"], ids=lambda case: str(case["class"]))
def test_what_follows_the_layout_opens(case: dict[str, str]) -> None:
    """Classes of ciphertexts that another code made, and that must open."""
    place = bytes.fromhex(case["associated_data"])
    opened = PINNED.open(case["use"], bytes.fromhex(case["sealed"]), associated_data=place)

    assert bytes.fromhex(case["plaintext"]) == opened


@pytest.mark.parametrize("case", CLASSES["refused"], ids=lambda case: str(case["class"]))
def test_what_does_not_is_a_broken_seal(case: dict[str, str]) -> None:
    """Short tags and nonces, other keys, ciphers, labels and layouts; none is a missing key."""
    place = bytes.fromhex(CLASSES["associated_data"])

    with pytest.raises(SealBroken):
        PINNED.open("row", bytes.fromhex(case["sealed"]), associated_data=place)
