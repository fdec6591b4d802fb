"""What is usually written: FastAPI, an ORM session for each request, Fernet, an OAuth library.

Set up fairly: WAL, one engine with a pool, both lookups by primary key or index, asynchronous all
the way. It proves key, subject and activity with each vend, as the service does.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from authlib.oauth2.rfc6749 import OAuth2Token  # type: ignore[import-untyped]  # Ships none.
from cryptography.fernet import Fernet
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import create_engine, event, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

INSTALLATIONS = 2_000
KEY = "bench-peer-key"
_file = Path(tempfile.mkdtemp(prefix="peer-vend-")) / "peer.db"
_fernet = Fernet(Fernet.generate_key())


class _Base(DeclarativeBase):
    pass


class ApiKey(_Base):
    """A key by its hash."""

    __tablename__ = "api_keys"
    key_hash: Mapped[str] = mapped_column(primary_key=True)
    active: Mapped[bool]


class Installation(_Base):
    """An installation with its encrypted token."""

    __tablename__ = "installations"
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(index=True)
    active: Mapped[bool]
    token: Mapped[bytes]


class Body(BaseModel):
    """What is asked."""

    subject: str


def _fill() -> None:
    engine = create_engine(f"sqlite:///{_file}")
    _Base.metadata.create_all(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    with Session(engine) as session:
        session.add(ApiKey(key_hash=hashlib.sha256(KEY.encode()).hexdigest(), active=True))
        for number in range(INSTALLATIONS):
            token = {
                "access_token": f"{number:0680d}",
                "refresh_token": f"{number:0680d}",
                "token_type": "bearer",
                "expires_at": int(time.time()) + 86_400,
                "scope": "user:read:user meeting:read:meeting",
            }
            session.add(
                Installation(
                    id=number,
                    subject=f"tenant-{number % 40}:user-{number}",
                    active=True,
                    token=_fernet.encrypt(json.dumps(token).encode()),
                )
            )
        session.commit()
    engine.dispose()


_fill()
_engine = create_async_engine(f"sqlite+aiosqlite:///{_file}", pool_size=8)
_sessions = async_sessionmaker(_engine, expire_on_commit=False)


@event.listens_for(_engine.sync_engine, "connect")
def _prepare(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")


async def _session() -> AsyncIterator[AsyncSession]:
    async with _sessions() as session:
        yield session


application = FastAPI(openapi_url=None)


@application.post("/installations/{installation_id}/access-token")
async def vend(
    installation_id: int,
    body: Body,
    authorization: Annotated[str, Header()],
    session: Annotated[AsyncSession, Depends(_session)],
) -> dict[str, Any]:
    key_hash = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest()
    key = (await session.scalars(select(ApiKey).where(ApiKey.key_hash == key_hash))).first()
    if key is None or not key.active:
        raise HTTPException(401)
    found = await session.get(Installation, installation_id)
    if found is None or not found.active or found.subject != body.subject:
        raise HTTPException(404)
    token = OAuth2Token.from_dict(json.loads(_fernet.decrypt(found.token)))
    if token.is_expired():
        raise HTTPException(503)
    return {"access_token": token["access_token"], "expires_at": token["expires_at"]}
