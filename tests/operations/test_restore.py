"""A restored database believes what is no longer so: it has to prove it, or let it go."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from msgspec import structs

from paraph.errors import ApiKeyMissing, NotFound, UnknownEncryptionKey, UsageError
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.api_key import ApiKeys, create_key
from paraph.lifecycle.audit import walk_chain
from paraph.lifecycle.context import Context
from paraph.lifecycle.link_request import open_request, request_link
from paraph.model.event import EventStatus
from paraph.model.phase import Phase
from paraph.operations.backup import take_backup
from paraph.operations.key_rotation import begin_rotation
from paraph.operations.receipt_export import ReceiptExport, heads_of, refuse_older_copy
from paraph.operations.replica import LIVE_SECONDS
from paraph.operations.restore import NewEpoch, prove_suspended
from paraph.sealing.encryption_key import new_encryption_key
from paraph.sealing.key_ring import KeyRing
from paraph.secret import Secret
from paraph.service.app import open_service
from paraph.service.context import open_context, receipt_book
from paraph.service.restoration import Circumstances, begin_epoch_in_place, restore_backup
from paraph.settings.model import Settings
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.storage.backup.backup_file import BackupReader, BackupWriter
from paraph.storage.backup.receipt_book import ReceiptBook, ReceiptLine, encode_line
from paraph.storage.backup.trust import BACKUP, NO_OLDER_KEY, Trust
from paraph.storage.database import open_store
from service_kit import JANE, RAVI, Kit, agree_as, give_back, settings_for, simulated_zoom
from storage import sample

pytestmark = pytest.mark.anyio


def silent(_: object) -> None:
    """Nobody watches."""


@dataclass
class Place:
    """A service's settings and its Zoom, over several lives; lives have a time of their own."""

    settings: Settings
    zoom: SimulatedZoom
    spoiled: list[str] = field(default_factory=list)
    trust: Trust = NO_OLDER_KEY

    @asynccontextmanager
    async def context(self) -> AsyncIterator[Context]:
        """The store without a service."""
        async with open_context(self.settings) as (context, _readiness):
            yield context

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Kit]:
        """A running service."""
        async with open_service(self.settings) as service:
            yield Kit(self.zoom, service, self.settings)

    async def backup(self) -> bytes:
        """The content of a backup."""
        file = io.BytesIO()
        async with self.context() as context:
            await take_backup(context, file, silent)
        return file.getvalue()

    async def restore(
        self, content: bytes, *folders: Path, replace: bool = True, ahead: int = 0
    ) -> NewEpoch:
        """As the command does it."""
        return await restore_backup(
            self.settings,
            BackupReader(io.BytesIO(content)),
            self._circumstances(folders, ahead),
            replace=replace,
            advance=silent,
        )

    async def begin_in_place(self) -> NewEpoch:
        """As the command does it with a file that was put back by hand."""
        return await begin_epoch_in_place(self.settings, self._circumstances((), 0))

    def _circumstances(self, folders: Sequence[Path], ahead: int) -> Circumstances:
        return Circumstances(
            folders, self.spoiled.extend, lambda: time.time() + ahead, os.urandom, self.trust
        )

    async def phases(self) -> dict[str, Phase]:
        """Every grant's phase by Zoom user."""
        async with self.context() as context, context.store.reading() as tx:
            found = [
                one
                for phase in Phase
                for one in await tx.grants.in_phase(phase, now=10**11, limit=99)
            ]
        return {one.identity.user_id: one.phase for one in found}


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Iterator[Place]:
    """Nothing is there yet."""
    zoom = simulated_zoom()
    yield Place(settings_for(zoom, tmp_path, database_url=database_url), zoom)
    give_back(zoom)


async def install(kit: Kit, *users: str) -> None:
    """Each user installs the app."""
    for user in users:
        agree_as(kit.zoom, user)
        async with kit.browser() as browser:
            await kit.install(browser)
    assert set(users) <= {one.grant.identity.user_id for one in await kit.installations()}


async def remove(kit: Kit, user: str, **changes: str) -> None:
    """The user removes the app at Zoom, and the service has heard of it and exported it."""
    await kit.post_webhook("app_deauthorized", kit.deauthorization(user_id=user, **changes))
    for _ in range(400):
        if user not in {one.grant.identity.user_id for one in await kit.installations()}:
            break
        await asyncio.sleep(0.02)
    book = receipt_book(kit.settings, kit.service.context)
    assert book is not None
    await ReceiptExport(kit.service.context, book).export()


async def prove(place: Place) -> None:
    """One round of asking Zoom."""
    async with place.context() as context:
        await prove_suspended(context, Refresher(context))


async def test_a_removed_user_does_not_return(place: Place) -> None:
    """Removed since the backup: removed again, and told so, before anything starts."""
    async with place.service() as kit:
        await install(kit, JANE, RAVI)
    content = await place.backup()
    async with place.service() as kit:
        await remove(kit, JANE)

    began = await place.restore(content)

    assert (2, 1, 1) == (began.number, began.removed, began.suspended)
    assert {RAVI: Phase.SUSPENDED} == await place.phases()
    async with place.service() as kit:
        assert [RAVI] == [one.grant.identity.user_id for one in await kit.installations()]


async def test_destroyed_data_keys_are_destroyed_again(place: Place) -> None:
    """The backup holds the data keys of a user who was removed since; the restored database not."""
    async with place.service() as kit:
        await install(kit, JANE, RAVI)
        account = (await kit.installations())[0].grant.identity.account_id
    async with place.context() as context:
        events = {
            user: sample.event(
                user, account_id=account, concerned=(user,), owners=((account, user),), arrival=at
            )
            for at, user in enumerate((JANE, RAVI), 10**15)
        }
        await context.store.keep_events(list(events.values()), client_id=context.client.client_id)
    content = await place.backup()
    async with place.service() as kit:
        await remove(kit, JANE)

    await place.restore(content)

    async with place.context() as context, context.store.reading() as tx:
        bodies = {user: (await tx.events.get(one.event_id)) for user, one in events.items()}
        waiting = {one.event_id for one in await tx.events.page(status=EventStatus.RECEIVED)}
    expected = {JANE: None, RAVI: events[RAVI].body}
    assert expected == {user: one and one.body for user, one in bodies.items()}
    assert {events[RAVI].event_id} == waiting & {one.event_id for one in events.values()}


async def test_a_user_who_was_moved_and_removed_does_not_return(place: Place) -> None:
    """The removal names the new account, the backup the old one: the installation is the same."""
    async with place.service() as kit:
        await install(kit, JANE, RAVI)
    content = await place.backup()
    async with place.service() as kit:
        jane = kit.zoom.world.user(JANE)
        assert jane is not None
        jane.account_id = "NewAccountOfJaneDev001"
        await install(kit, JANE)
        assert 2 == len(await kit.installations())
        await remove(kit, JANE, account_id=jane.account_id)

    began = await place.restore(content)

    assert 1 == began.removed
    assert {RAVI: Phase.SUSPENDED} == await place.phases()


async def test_who_came_back_before_the_backup_is_not_removed(place: Place) -> None:
    """A receipt that the backup has is about an earlier consent."""
    async with place.service() as kit:
        await install(kit, JANE)
        await remove(kit, JANE)
        async with kit.service.context.store.transaction() as tx:
            await tx.grants.add(sample.grant())
    content = await place.backup()

    began = await place.restore(content)

    assert (0, 0) == (began.receipts, began.removed)
    assert {"user-1": Phase.SUSPENDED} == await place.phases()


async def test_a_second_restore_removes_again(place: Place) -> None:
    """Also when the database that knew the receipts is gone."""
    async with place.service() as kit:
        await install(kit, JANE)
    content = await place.backup()
    async with place.service() as kit:
        await remove(kit, JANE)
    assert 1 == (await place.restore(content)).removed
    again = await place.restore(content)

    assert (3, 1) == (again.number, again.removed)
    assert {} == await place.phases()


async def test_receipts_of_another_machine_count(place: Place, tmp_path: Path) -> None:
    """In a fleet each machine writes its own book; the operator names their folders."""
    async with place.service() as kit:
        await install(kit, JANE)
    content = await place.backup()
    async with place.service() as kit:
        await remove(kit, JANE)
    shutil.move(place.settings.receipts_folder, tmp_path / "elsewhere")

    assert 0 == (await place.restore(content)).removed
    assert 1 == (await place.restore(content, tmp_path / "elsewhere")).removed


async def test_an_altered_receipt_is_reported_and_removes_no_user(place: Place) -> None:
    """Whoever can write into the folder has no power over who is removed."""
    async with place.service() as kit:
        await install(kit, JANE)
    content = await place.backup()
    async with place.service() as kit:
        await remove(kit, JANE)
    _alter_receipts(Path(place.settings.receipts_folder))

    assert 0 == (await place.restore(content)).removed
    assert place.spoiled


def _alter_receipts(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b'"reason":"', b'"reason":"X'))


async def test_a_grant_unused_since_the_backup_is_proved_by_one_refresh(place: Place) -> None:
    """Suspended at first, active after Zoom has given it new tokens."""
    async with place.service() as kit:
        await install(kit, JANE)
    await place.restore(await place.backup())
    assert {JANE: Phase.SUSPENDED} == await place.phases()

    await prove(place)

    assert {JANE: Phase.ACTIVE} == await place.phases()


async def test_a_spent_token_ends_in_needs_reauthorization(place: Place) -> None:
    """Refreshed since the backup: Zoom refuses the old token, and the host is told."""
    async with place.service() as kit:
        await install(kit, JANE)
    content = await place.backup()
    async with place.context() as context:
        async with context.store.reading() as tx:
            (grant,) = await tx.grants.in_phase(Phase.ACTIVE, now=10**11, limit=9)
        await Refresher(context).refresh(grant.grant_id)
    await place.restore(content)

    await prove(place)

    assert {JANE: Phase.NEEDS_REAUTHORIZATION} == await place.phases()
    async with place.context() as context, context.store.reading() as tx:
        notices = [one.name for one in await tx.events.page() if one.notice]
    assert "installation.needs_reauthorization" in notices


async def test_api_keys_end(place: Place) -> None:
    """A key that was revoked since the backup is alive in it, so none of them lives on."""
    async with place.context() as context:
        key = await create_key(context, label="host", scopes=["read"], subject_prefix="t-")
    began = await place.restore(await place.backup())

    assert [("host", "t-")] == [(one.label, one.subject_prefix) for one in began.ended_keys]
    async with place.context() as context:
        bearer = f"Bearer {key.reveal()}".encode()
        with pytest.raises(ApiKeyMissing):
            await ApiKeys(context).admit([(b"authorization", bearer)])


async def test_what_was_begun_has_to_be_begun_again(place: Place) -> None:
    """A one-use code that was used since the backup is unused in it."""
    async with place.context() as context:
        code, _ = await request_link(context, subject="s", challenge="c" * 43)
        assert "s" == (await open_request(context, code)).subject
    await place.restore(await place.backup())

    async with place.context() as context:
        with pytest.raises(NotFound):
            await open_request(context, code)


async def test_the_chain_verifies_and_says_that_it_was_restored(place: Place) -> None:
    """Entries that the restore left behind are told apart from entries that somebody cut off."""
    async with place.service() as kit:
        await install(kit, JANE)
    content = await place.backup()
    async with place.service() as kit:
        await install(kit, RAVI)
    await place.restore(content)

    async with place.context() as context:
        book = receipt_book(place.settings, context)
        assert book is not None
        heads = heads_of(book.read().lines)
        verdict = await walk_chain(context.store, exported_heads=heads)
        await refuse_older_copy(context.store, book)
    assert (None, 1) == (verdict.broken_at, verdict.restores)
    assert 1 <= verdict.given_up < len(heads)


async def test_a_backup_is_one_view_while_everything_goes_on(place: Place) -> None:
    """What is written while it is taken is not in it, and it restores."""
    file = io.BytesIO()
    async with place.context() as context:
        for number in range(250):
            async with context.store.transaction() as tx:
                await tx.grants.add(sample.grant(f"before-{number:03}"))
                await tx.links.add(sample.link(f"before-{number:03}"))
        written: list[asyncio.Task[None]] = []

        def write(_count: int) -> None:
            async def add(mark: str) -> None:
                async with context.store.transaction() as tx:
                    await tx.grants.add(sample.grant(mark))
                    await tx.links.add(sample.link(mark))

            written.append(asyncio.create_task(add(f"during-{len(written):03}")))

        made = await take_backup(context, file, write)
        await asyncio.gather(*written)
    assert len(written) > 5
    assert BackupReader(io.BytesIO(file.getvalue())).head.rows == made.rows

    assert 250 == (await place.restore(file.getvalue())).suspended


async def test_a_backup_goes_over_to_the_other_kind_of_database(
    place: Place, tmp_path: Path, empty_postgresql_url: str
) -> None:
    """One format for both stores: from a file to a server, and back."""
    async with place.service() as kit:
        await install(kit, JANE)
    is_file = place.settings.database_url.startswith("sqlite")
    other = empty_postgresql_url if is_file else f"sqlite:///{tmp_path / 'moved.db'}"
    content = await place.backup()
    moved = Place(settings_for(place.zoom, tmp_path, database_url=other), place.zoom)
    moved.settings = _with_keys(moved.settings, place.settings)

    assert 1 == (await moved.restore(content, replace=False)).suspended
    await prove(moved)
    assert {JANE: Phase.ACTIVE} == await moved.phases()


def _with_keys(settings: Settings, other: Settings) -> Settings:
    return replace(settings, encryption_keys=other.encryption_keys)


async def test_nothing_is_replaced_without_a_word(place: Place) -> None:
    """A database that is there stays, with all that is in it."""
    async with place.service() as kit:
        await install(kit, JANE)
    content = await place.backup()

    with pytest.raises(UsageError, match="was not touched"):
        await place.restore(content, replace=False)
    assert {JANE: Phase.ACTIVE} == await place.phases()


async def test_nothing_is_replaced_under_a_running_service(place: Place) -> None:
    """It would go on writing into what is gone, or vend what was not proved."""
    async with place.service():
        content = await place.backup()
        with pytest.raises(UsageError, match="a service runs on this database"):
            await place.restore(content)
        with pytest.raises(UsageError, match="a service runs on this database"):
            await place.begin_in_place()
        # Later than any report of the service may count.
        later = LIVE_SECONDS + 60
        assert 1 == (await place.restore(content, ahead=later)).number - 1


async def test_a_damaged_backup_changes_nothing(place: Place) -> None:
    """Found out at its last line, after all rows were loaded: undone."""
    async with place.service() as kit:
        await install(kit, JANE)
    content = await place.backup()
    altered = content.replace(b'"active"', b'"Active"', 1)
    assert altered != content

    with pytest.raises(UsageError, match="incomplete or changed"):
        await place.restore(altered)
    assert {JANE: Phase.ACTIVE} == await place.phases()


async def test_another_key_restores_nothing(place: Place) -> None:
    """The keys are not in the backup; without them it is of no use to anybody."""
    async with place.service() as kit:
        await install(kit, JANE)
    content = await place.backup()
    stranger = Place(place.settings, place.zoom)
    stranger.settings = replace(place.settings, encryption_keys=(Secret(new_encryption_key()),))

    with pytest.raises(UnknownEncryptionKey):
        await stranger.restore(content)
    assert {JANE: Phase.ACTIVE} == await place.phases()


async def test_a_backup_of_an_older_schema_is_brought_up_to_date(place: Place) -> None:
    """Last month's backup restores with this month's code."""
    async with place.context() as context:
        async with context.store.transaction() as tx:
            await tx.grants.add(sample.grant())
        key = context.ring.authentication_key(BACKUP, context.ring.key_id)
    content = _downgraded(await place.backup(), key)

    assert 1 == (await place.restore(content)).suspended
    store = await open_store(
        place.settings.database_url,
        KeyRing.parse([one.reveal() for one in place.settings.encryption_keys]),
        randomness=os.urandom,
    )
    assert 2 == store.epoch.number
    await store.close()


def _downgraded(content: bytes, key: bytes) -> bytes:
    """The same backup as if it had been made before there were epochs."""
    reader, file = BackupReader(io.BytesIO(content)), io.BytesIO()
    writer = BackupWriter(file, structs.replace(reader.head, schema="0004"))
    kept = {"grants", "stored_keys", "key_turns", "database_identity"}
    for batch in reader.batches(1):
        if batch.table not in kept:
            continue
        columns = [one for one in batch.columns if not one.startswith("epoch")]
        kinds = {
            one: "bytes"
            if one in {"sealed", "profile", "access_token", "refresh_token"}
            else "value"
            for one in columns
        }
        writer.table(batch.table, kinds)
        for row in batch.rows:
            values = dict(zip(batch.columns, row, strict=True))
            writer.row([values[one] for one in columns])
    writer.end(key)
    return file.getvalue()


async def test_a_database_put_back_by_hand_begins_a_new_epoch_in_place(place: Place) -> None:
    """The same as a restore, for whoever copied the file or the server's volume."""
    async with place.service() as kit:
        await install(kit, JANE, RAVI)
    content = await place.backup()
    async with place.service() as kit:
        await remove(kit, JANE)
    await place.restore(content)

    began = await place.begin_in_place()

    assert (3, 0) == (began.number, began.removed)
    assert {RAVI: Phase.SUSPENDED} == await place.phases()


async def rotate(place: Place) -> str:
    """A new key stands in front of the settings and seals; the id of the old one."""
    old = place.settings.encryption_keys
    place.settings = replace(place.settings, encryption_keys=(Secret(new_encryption_key()), *old))
    async with place.context() as context:
        assert await begin_rotation(context)
    return old[0].reveal().partition(":")[0]


def _altered(content: bytes, key: bytes, **head: object) -> bytes:
    """A backup in which every API key may do everything, with a MAC of the forger's."""
    reader, file = BackupReader(io.BytesIO(content)), io.BytesIO()
    writer = BackupWriter(file, structs.replace(reader.head, **head))
    begun = ""
    for batch in reader.batches(1):
        if batch.table != begun:
            begun = batch.table
            kinds = {
                one: "bytes" if isinstance(value, bytes) else "value"
                for one, value in zip(batch.columns, batch.rows[0], strict=True)
            }
            writer.table(batch.table, kinds)
        for row in batch.rows:
            values = dict(zip(batch.columns, row, strict=True))
            if batch.table == "api_keys":
                values["scopes"] = "link proxy read remove vend"
            writer.row(list(values.values()))
    writer.end(key)
    return file.getvalue()


async def _forged_after_rotation(place: Place) -> tuple[str, bytes, bytes]:
    """The old key's id; a backup that it forged as of now, and as paraph 0.1 would have made it."""
    async with place.context() as context:
        await create_key(context, label="narrow", scopes=["read"])
        old_key = context.ring.authentication_key(BACKUP, context.ring.key_id)
        first_key = context.store.hash_keys["backup"]
    content = await place.backup()
    old = await rotate(place)
    first = _altered(content, first_key, paraph_backup=1, key_id="")
    return old, _altered(content, old_key), first


async def test_a_key_that_was_rotated_away_makes_no_backup_that_restores(place: Place) -> None:
    """The holder of an old encryption key cannot widen the scopes of API keys."""
    old, forged, first = await _forged_after_rotation(place)

    with pytest.raises(UsageError, match=f"was made with the key {old}") as caught:
        await place.restore(forged)
    assert f"--made-with-key {old}" in caught.value.remedy
    with pytest.raises(UsageError, match=r"paraph 0\.1") as caught:
        await place.restore(first)
    assert "--from-0.1" in caught.value.remedy
    async with place.context() as context, context.store.reading() as tx:
        assert [frozenset({"read"})] == [one.scopes for one in await tx.api_keys.all()]


async def test_an_operator_may_vouch_for_an_older_key(place: Place) -> None:
    """A backup from before a rotation restores on request, and the new key seals in it."""
    async with place.service() as kit:
        await install(kit, JANE)
    content = await place.backup()
    old = await rotate(place)
    with pytest.raises(UsageError, match="made with the key"):
        await place.restore(content)
    place.trust = Trust(made_with=frozenset({old}))

    assert 1 == (await place.restore(content)).suspended
    async with place.context() as context:
        assert context.ring.newest == context.ring.key_id
    await prove(place)
    assert {JANE: Phase.ACTIVE} == await place.phases()


async def test_a_backup_of_the_first_version_has_a_way_in(place: Place) -> None:
    """It restores with a word of its own, and only if its MAC fits."""
    async with place.context() as context:
        first_key = context.store.hash_keys["backup"]
    content = await place.backup()
    first = _altered(content, first_key, paraph_backup=1, key_id="")
    place.trust = Trust(first_version=True)

    assert 2 == (await place.restore(first)).number
    with pytest.raises(UsageError, match="its MAC differs"):
        await place.restore(_altered(content, b"x" * 32, paraph_backup=1, key_id=""))


async def test_receipts_are_written_again_after_a_rotation(place: Place) -> None:
    """Lines of the old key are written again by the new one; made-up lines are not."""
    async with place.service() as kit:
        await install(kit, JANE, RAVI)
        await remove(kit, JANE)
        ravi = next(
            one.grant.identity
            for one in await kit.installations()
            if one.grant.identity.user_id == RAVI
        )
        identity = kit.service.context.tombstone_hash(ravi).hex()
    old_settings = place.settings
    old = await rotate(place)
    forged = ReceiptLine("made-up", identity, "x", "forged", 1, 2, {})
    await _write_with_old_key(place, old_settings, forged)
    async with place.context() as context:
        book = receipt_book(place.settings, context)
        assert book is not None
        await ReceiptExport(context, book).export()
        reading = book.read()
    receipts = [one for one in reading.lines if isinstance(one, ReceiptLine)]
    assert 1 == len(receipts) and "made-up" != receipts[0].receipt_id
    assert encode_line(forged) not in map(encode_line, reading.lines)
    assert any(f"(key {old})" in one for one in reading.unproven)

    began = await place.restore(await place.backup())
    assert 0 == began.removed
    assert {RAVI: Phase.SUSPENDED} == await place.phases()


async def _write_with_old_key(place: Place, old_settings: Settings, line: ReceiptLine) -> None:
    """Write a line as an attacker does who holds the old key and an old copy of the database."""
    async with place.context() as context:
        ring = KeyRing.parse([one.reveal() for one in old_settings.encryption_keys])
        ReceiptBook(
            Path(place.settings.receipts_folder),
            database_id=context.store.database_id,
            ring=ring,
            first_key=b"",
            writer="elsewhere",
        ).append([line], now=context.now())
