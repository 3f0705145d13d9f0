"""The home-made way: the question of a pre-send check as companies answer it for themselves, with FastAPI and the SQLAlchemy ORM.

No log, no proof, no laws. `usual` knows its callers and the person asked about; `lean` is the least that can be called an answer.
"""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import ForeignKey, or_, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

TABLES = """
CREATE TABLE IF NOT EXISTS homemade_client (token_hash text PRIMARY KEY, name text NOT NULL);
CREATE TABLE IF NOT EXISTS homemade_contact (id text PRIMARY KEY, email text NOT NULL, opted_out boolean NOT NULL);
CREATE INDEX IF NOT EXISTS homemade_contact_email ON homemade_contact (email);
CREATE TABLE IF NOT EXISTS homemade_preference (
    contact_id text, channel text, category text, status text NOT NULL, PRIMARY KEY (contact_id, channel, category)
);
"""
PATH = "/api/v2/send_checks"


class Base(DeclarativeBase):
    """All tables of the home-made way."""


class Client(Base):
    """Who may call, by the hash of their token."""

    __tablename__ = "homemade_client"
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Preference(Base):
    """What one contact said about one category on one channel."""

    __tablename__ = "homemade_preference"
    contact_id: Mapped[str] = mapped_column(ForeignKey("homemade_contact.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]


class Contact(Base):
    """A contact and its address."""

    __tablename__ = "homemade_contact"
    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(index=True)
    opted_out: Mapped[bool]
    preferences: Mapped[list[Preference]] = relationship()


class Check(BaseModel):
    """The body of a check."""

    contact_id: str
    address: str
    channel: str
    category: str
    country: str


class Verdict(BaseModel):
    """The answer."""

    allowed: bool
    reason: str


def _sessions(dsn: str) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"), pool_size=10))


def usual(dsn: str) -> FastAPI:
    """Looks up the caller's token (a revoked one is refused), the contact or whoever has the address, and what they chose."""
    app, bearer, sessions = FastAPI(), HTTPBearer(), _sessions(dsn)

    async def opened() -> AsyncIterator[AsyncSession]:
        async with sessions() as session:
            yield session

    async def caller(
        given: Annotated[HTTPAuthorizationCredentials, Depends(bearer)], session: Annotated[AsyncSession, Depends(opened)]
    ) -> Client:
        found = await session.get(Client, sha256(given.credentials.encode()).hexdigest())
        if found is None:
            raise HTTPException(401)
        return found

    @app.post(PATH, dependencies=[Depends(caller)])
    async def check(body: Check, session: Annotated[AsyncSession, Depends(opened)]) -> Verdict:
        asked = select(Contact).where(or_(Contact.id == body.contact_id, Contact.email == body.address.lower()))
        contacts = (await session.scalars(asked.options(selectinload(Contact.preferences)))).all()
        chosen = [
            one for contact in contacts for one in contact.preferences if (one.channel, one.category) == (body.channel, body.category)
        ]
        if not contacts or any(contact.opted_out for contact in contacts) or any(one.status == "opted_out" for one in chosen):
            return Verdict(allowed=False, reason="opted out")
        return Verdict(allowed=True, reason="opted in" if chosen else "not set")

    return app


def lean(dsn: str) -> FastAPI:
    """Looks up one row by its key, whoever calls, and does not look at the address."""
    app, sessions = FastAPI(), _sessions(dsn)

    @app.post(PATH)
    async def check(body: Check) -> Verdict:
        async with sessions() as session:
            found = await session.get(Preference, (body.contact_id, body.channel, body.category))
        if found is None or found.status == "opted_out":
            return Verdict(allowed=False, reason="opted out")
        return Verdict(allowed=True, reason="opted in")

    return app
