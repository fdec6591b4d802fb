"""Event bodies under data keys: they open with a living key of one of their owners alone."""

from __future__ import annotations

import os

import pytest

from paraph.errors import SealBroken, UnknownEncryptionKey
from paraph.sealing.data_key import NEW_KEY_BYTES, BodySealing, Owner, SealedDataKey
from paraph.sealing.key_ring import DAY_SECONDS
from paraph.sealing.row import Sealing
from storage import sample
from storage.sample import CLIENT, ring

HERE = Sealing(ring(), "database-1")
PLACE, EVENT, BODY = "events.body", "event-1", b'{"canary":"body"}'
AT = 20_000 * DAY_SECONDS + 7


def new_key(user_id: str = "user-1", sealing: Sealing = HERE) -> SealedDataKey:
    """A new data key of a user."""
    owner = Owner(sample.ACCOUNT, user_id)
    return sealing.bodies.new_key(CLIENT, owner, randomness=os.urandom(NEW_KEY_BYTES))


ONE, TWO, THREE = (new_key(f"user-{number}") for number in (1, 2, 3))


def seal(*keys: SealedDataKey, at: int = AT, sealing: Sealing = HERE) -> bytes:
    """The body, sealed for the owners of these keys."""
    return sealing.bodies.seal(PLACE, EVENT, BODY, at=at, keys=keys)


def opened(
    sealed: bytes,
    sealed_for: tuple[SealedDataKey, ...],
    *living: SealedDataKey,
    event_id: str = EVENT,
    sealing: Sealing = HERE,
) -> bytes | None:
    """The body, opened with the keys that are left."""
    return sealing.bodies.open(
        PLACE,
        event_id,
        sealed,
        sealed_for=[key.key_id for key in sealed_for],
        keys={key.key_id: key for key in living},
    )


def test_a_body_opens_with_the_key_of_its_owner() -> None:
    """One owner: the body comes back, and stands nowhere in the ciphertext."""
    sealed = seal(ONE)

    assert BODY == opened(sealed, (ONE,), ONE)
    assert b"canary" not in sealed


@pytest.mark.parametrize("living", [(ONE, TWO, THREE), (ONE,), (TWO,), (THREE,), (THREE, ONE)])
def test_a_body_of_several_owners_lives_as_long_as_one_key_does(
    living: tuple[SealedDataKey, ...],
) -> None:
    """Each key of its owners opens it, whatever has become of the others."""
    assert BODY == opened(seal(ONE, TWO, THREE), (ONE, TWO, THREE), *living)


@pytest.mark.parametrize("keys", [(ONE,), (ONE, TWO)])
def test_without_a_living_key_there_is_no_body(keys: tuple[SealedDataKey, ...]) -> None:
    """The keys of all owners are gone: no body and no error, though the process has opened it."""
    sealed = seal(*keys)
    assert BODY == opened(sealed, keys, *keys)

    assert None is opened(sealed, keys)
    assert None is opened(sealed, keys, THREE)


def test_a_key_with_the_id_of_another_opens_nothing() -> None:
    """The id alone is no proof: a later key of the same owner does not open the body."""
    later = new_key()._replace(key_id=ONE.key_id)

    with pytest.raises(SealBroken):
        opened(seal(ONE), (ONE,), later)


@pytest.mark.parametrize("keys", [(ONE,), (ONE, TWO)])
def test_a_body_opens_in_its_own_row_and_database_alone(keys: tuple[SealedDataKey, ...]) -> None:
    """Moved to another row, or presented to another database, it is refused."""
    sealed = seal(*keys)

    with pytest.raises(SealBroken):
        opened(sealed, keys, *keys, event_id="event-2")
    with pytest.raises(SealBroken):
        opened(sealed, keys, *keys, sealing=Sealing(ring(), "database-2"))


@pytest.mark.parametrize("keys", [(ONE,), (ONE, TWO)])
def test_every_byte_is_authenticated(keys: tuple[SealedDataKey, ...]) -> None:
    """A changed bit anywhere in the header, a wrap or the body is refused."""
    sealed = seal(*keys)

    for place in range(len(sealed)):
        spoiled = bytearray(sealed)
        spoiled[place] ^= 1
        with pytest.raises(SealBroken):
            opened(bytes(spoiled), keys, *keys)


@pytest.mark.parametrize("length", [0, 1, 9, 36])
def test_a_torn_value_is_refused(length: int) -> None:
    """A value that ends early is no body."""
    with pytest.raises(SealBroken):
        opened(seal(ONE)[:length], (ONE,), ONE)


def test_the_number_of_owners_cannot_be_changed() -> None:
    """A body for two owners is not one for one, and the reverse."""
    with pytest.raises(SealBroken):
        opened(seal(ONE, TWO), (ONE,), ONE)
    with pytest.raises(SealBroken):
        opened(seal(ONE), (ONE, TWO), ONE)


def test_each_day_has_a_key_of_its_own() -> None:
    """A ciphertext of one day, dated to the next, does not open: other bytes sealed it."""
    sealed = bytearray(seal(ONE))
    sealed[1:5] = (20_001).to_bytes(4, "big")

    with pytest.raises(SealBroken):
        opened(bytes(sealed), (ONE,), ONE)
    assert BODY == opened(seal(ONE, at=AT + DAY_SECONDS), (ONE,), ONE)


@pytest.mark.parametrize("field", ["client_id", "account_id", "user_id", "key_id"])
def test_a_data_key_belongs_to_its_row(field: str) -> None:
    """A data key that was assigned to another owner, or got another id, does not open."""
    moved = SealedDataKey(**{**ONE._asdict(), field: "another"})

    with pytest.raises(SealBroken):
        BodySealing(HERE).seal(PLACE, EVENT, BODY, at=AT, keys=[moved])


def test_a_data_key_needs_its_encryption_key() -> None:
    """Without the encryption key that sealed it, a data key opens nothing: try later."""
    elsewhere = Sealing(ring(sample.NEW_KEY), "database-1")

    with pytest.raises(UnknownEncryptionKey):
        opened(seal(ONE), (ONE,), ONE, sealing=elsewhere)


def test_a_body_opens_after_its_data_key_was_sealed_again() -> None:
    """A rotation changes the sealed form of a data key, and no body."""
    both = Sealing(ring(sample.NEW_KEY, sample.OLD_KEY), "database-1")
    bound = (CLIENT, *ONE.owner)
    plain = both.open("data_keys.sealed", ONE.key_id, ONE.sealed, *bound)
    again = ONE._replace(sealed=both.seal("data_keys.sealed", ONE.key_id, plain, *bound))

    new = Sealing(ring(sample.NEW_KEY), "database-1")

    assert BODY == opened(seal(ONE), (ONE,), again, sealing=new)


def test_opened_keys_are_bounded() -> None:
    """However many owners there are, a fixed number of opened keys stays in memory."""
    few = BodySealing(HERE, kept=2)
    for number in range(5):
        few.seal(PLACE, EVENT, BODY, at=AT, keys=[new_key(str(number))])

    assert 2 == few._cipher.cache_info().currsize
