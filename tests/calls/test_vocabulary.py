"""`Zoom`, `SyncZoom`, `AsyncClient` and `Client` have one vocabulary."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

import paraph
from calls.four_objects import ALL_SCOPES, NAMES, FourObjects, finished, four_objects
from paraph import (
    AsyncClient,
    AsyncInstallationHandle,
    Client,
    InstallationHandle,
    SyncZoom,
    Zoom,
    values,
)
from paraph.service.in_process import SubjectInstallation
from service.app_with_zoom import NONCE

pytestmark = pytest.mark.anyio
OBJECTS = (Zoom, SyncZoom, AsyncClient, Client)
CALLS = ("claim", "confirm", "decline", "installation", "installations", "request_link")
HANDLE = (
    *("access_token", "delete", "get", "is_active", "patch", "post", "put", "remove", "request"),
    "status",
)
# Streams cross neither a thread nor the management API; `call` is the former name of `request`.
IN_PROCESS_ONLY = {"call", "stream"}


def public_names(kind: type) -> set[str]:
    """The public attributes of a class."""
    return {name for name in dir(kind) if not name.startswith("_")}


def shape(method: Any) -> str:
    """A signature without what tells the asynchronous from the synchronous."""
    text = str(inspect.signature(method))
    text = re.sub(r"\bAsync(\w+)", r"\1", text)
    return text.replace("SubjectInstallation", "InstallationHandle")


@pytest.mark.parametrize("name", CALLS)
def test_the_four_objects_share_their_calls(name: str) -> None:
    """The names, arguments, kinds, defaults and results of the calls are the same."""
    shapes = {kind.__name__: shape(getattr(kind, name)) for kind in OBJECTS}
    assert dict.fromkeys(NAMES, shapes["Zoom"]) == shapes


@pytest.mark.parametrize("name", HANDLE)
def test_the_handles_share_their_calls(name: str) -> None:
    """The same holds for what `installation(subject)` returns."""
    expected = shape(getattr(AsyncInstallationHandle, name))
    for kind in (InstallationHandle, SubjectInstallation):
        assert expected == shape(getattr(kind, name))


def test_the_handles_have_no_other_call() -> None:
    """A method that one handle has is in the list of this test."""
    assert set(HANDLE) == public_names(AsyncInstallationHandle)
    assert set(HANDLE) == public_names(InstallationHandle)
    assert set(HANDLE) | IN_PROCESS_ONLY == public_names(SubjectInstallation)


def test_the_clients_are_alike() -> None:
    """Both clients have the same methods, those of version 0.1 included."""
    assert public_names(Client) == public_names(AsyncClient)
    for name in public_names(Client):
        assert shape(getattr(AsyncClient, name)) == shape(getattr(Client, name))


def test_sync_zoom_is_made_as_zoom_is() -> None:
    """Its constructor takes the arguments of `Zoom`."""
    assert inspect.signature(Zoom) == inspect.signature(SyncZoom)


def test_every_value_is_exported() -> None:
    """A program can name the type of each value that a call returns."""
    internal = {"Page"}
    named = {name for name, value in vars(values).items() if is_dataclass(value)}
    assert set() == named - internal - set(paraph.__all__)
    for name in named - internal:
        assert getattr(values, name) is getattr(paraph, name)


def foreign(value: Any) -> list[str]:
    """The types inside a value that are neither Python's own nor of `paraph.values`."""
    if is_dataclass(value) and not isinstance(value, type):
        inner = [one for field in fields(value) for one in foreign(getattr(value, field.name))]
        own = type(value).__module__ == values.__name__
        return inner if own else [type(value).__qualname__, *inner]
    if isinstance(value, Mapping):
        return [one for item in value.items() for part in item for one in foreign(part)]
    if isinstance(value, list | tuple):
        return [one for part in value for one in foreign(part)]
    plain = value is None or isinstance(value, str | int | bytes)
    return [] if plain else [type(value).__qualname__]


async def returned_values(four: FourObjects, name: str) -> dict[str, Any]:
    """Everything that the calls of one object return, in one story."""
    subject = f"tenant:{name}"
    found: dict[str, Any] = {}
    found["request_link"] = await four.do(name, "request_link", subject, nonce=NONCE)
    handoff = await four.handoff(name, subject)
    found["claim"] = await four.do(name, "claim", handoff, nonce=NONCE)
    found["decline"] = await four.do(name, "decline", found["claim"])
    found["confirm"] = await four.link(name, subject)
    found["installations"] = await four.do(name, "installations", subject=subject, page_size=1)
    found["status"] = await four.use(name, subject, "status")
    found["access_token"] = await four.use(name, subject, "access_token")
    found["get"] = await four.use(name, subject, "get", "/users/me", page_size=3)
    found["request"] = await four.use(name, subject, "request", "GET", "/users/me")
    found["remove"] = await four.use(name, subject, "remove")
    return found


async def test_the_four_objects_return_the_same_values(tmp_path: Path) -> None:
    """No record of the store leaves the package, and nothing secret stands in a repr."""
    async with four_objects(tmp_path) as four:
        kinds: dict[str, Any] = {}
        for name in NAMES:
            found = await returned_values(four, name)
            assert [] == foreign(list(found.values())), name
            assert [found["confirm"]] == found["installations"]
            assert found["confirm"] == found["status"]
            shown = repr(found)
            for secret in (
                found["claim"].claim,
                found["access_token"].access_token,
                found["request_link"].install_url,
            ):
                assert secret not in shown, name
            assert 1 == found["remove"].destroyed["grants"]
            kinds[name] = {key: type(value).__name__ for key, value in found.items()}
        assert dict.fromkeys(NAMES, kinds["Zoom"]) == kinds


async def test_one_installation_looks_the_same_from_everywhere(tmp_path: Path) -> None:
    """The same installation gives equal values, whichever object is asked."""
    async with four_objects(tmp_path) as four:
        linked = await four.link("Zoom", "tenant:jane")
        for name in NAMES:
            assert linked == await four.use(name, "tenant:jane", "status")
            assert [linked] == await four.do(name, "installations", user_id=linked.zoom.user_id)
            by_id = four.objects[name].installation(installation_id=linked.id)
            assert linked.zoom.user_id == (await response_of(by_id)).json()["id"]


async def response_of(handle: Any) -> Any:
    """Call Zoom with a handle of either kind."""
    return await finished(handle.get, "/users/me")


async def test_a_handle_follows_a_new_installation(tmp_path: Path) -> None:
    """A handle that was kept finds the installation of a user who removed the app and came back."""
    async with four_objects(tmp_path) as four:
        kept = {name: four.objects[name].installation("tenant:jane") for name in NAMES}
        for _ in range(2):
            await four.link("Zoom", "tenant:jane")
            for name in NAMES:
                assert 200 == (await response_of(kept[name])).status, name
                assert await finished(kept[name].is_active), name
            await four.use("Zoom", "tenant:jane", "remove")
            assert not any([await finished(one.is_active) for one in kept.values()])
        assert len(ALL_SCOPES) == 5
