"""Receivers as a team would write them with a framework: verified, deduplicated, durable.

Set up fairly: raw body, constant-time comparison, WAL and `synchronous=FULL` as ours, one commit
for each event, a thread pool as the framework has it. `core` uses SQLAlchemy's Core, `orm` a
mapped class and a session.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from typing import Any

from fastapi import FastAPI, Request, Response
from sqlalchemy import Column, LargeBinary, MetaData, Table, Text, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from starlette.concurrency import run_in_threadpool

SECRET = os.environ["BENCH_SECRET"].encode()
engine = create_engine(f"sqlite:///{os.environ['BENCH_FILE']}", connect_args={"timeout": 30})


@event.listens_for(engine, "connect")
def durable(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


class Base(DeclarativeBase):
    """The mapped classes."""


class Event(Base):
    """One event."""

    __tablename__ = "orm_events"
    event_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    body: Mapped[bytes]


metadata = MetaData()
table = Table(
    "core_events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("name", Text),
    Column("body", LargeBinary),
)
metadata.create_all(engine)
Base.metadata.create_all(engine)


def with_core(event_id: str, name: str, body: bytes) -> None:
    with engine.begin() as connection:
        connection.execute(
            insert(table).on_conflict_do_nothing(),
            {"event_id": event_id, "name": name, "body": body},
        )


def with_orm(event_id: str, name: str, body: bytes) -> None:
    with Session(engine) as session:
        session.add(Event(event_id=event_id, name=name, body=body))
        try:
            session.commit()
        except IntegrityError:
            session.rollback()


def receiver(keep: Any) -> FastAPI:
    application = FastAPI()

    @application.post("/webhook")
    async def webhook(request: Request) -> Any:
        body = await request.body()
        stamp = request.headers.get("x-zm-request-timestamp", "")
        given = request.headers.get("x-zm-signature", "")
        expected = hmac.new(SECRET, f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(f"v0={expected}", given):
            return Response(status_code=401)
        if abs(time.time() - int(stamp)) > 300:
            return Response(status_code=401)
        content = json.loads(body)
        digest = hashlib.sha256(body).hexdigest()
        await run_in_threadpool(keep, digest, content["event"], body)
        return {}

    return application


core = receiver(with_core)
orm = receiver(with_orm)
