"""What the hub is measured beside: a raw echo of the same bytes, and the usual home-made way (FastAPI, SQLAlchemy ORM, PostgreSQL).

`python -m bench.peers echo PORT BYTES` and `python -m bench.peers homemade PORT DSN` serve until they are ended.
"""

import sys
from typing import Any

import uvicorn

OPTIONS = {"host": "127.0.0.1", "log_level": "error", "access_log": False, "http": "httptools", "loop": "uvloop", "lifespan": "off"}


def echo(port: int, size: int) -> None:
    """Reads the request, answers as many bytes as the hub does. The least that any ASGI app on uvicorn can do."""
    body = b"x" * size
    headers = [(b"content-type", b"application/json"), (b"content-length", str(size).encode())]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    uvicorn.run(app, port=port, **OPTIONS)  # type: ignore[arg-type]  # one mapping for three options


def homemade(port: int, dsn: str) -> None:
    """One table of preferences, one look-up a request, no log and no proof: what companies write for themselves."""
    from fastapi import FastAPI
    from pydantic import BaseModel
    from sqlalchemy import select
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

    class Base(DeclarativeBase):
        pass

    class Preference(Base):
        __tablename__ = "homemade_preference"
        contact_id: Mapped[str] = mapped_column(primary_key=True)
        email: Mapped[str]
        opted_out: Mapped[bool]
        promotional: Mapped[str]

    class Check(BaseModel):
        contact_id: str
        address: str
        channel: str
        category: str
        country: str

    class Verdict(BaseModel):
        allowed: bool
        reason: str

    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"), pool_size=10)
    sessions = async_sessionmaker(engine)
    app = FastAPI()

    @app.post("/api/v2/send_checks")
    async def check(body: Check) -> Verdict:
        session: AsyncSession
        async with sessions() as session:
            found = (await session.execute(select(Preference).where(Preference.contact_id == body.contact_id))).scalar_one_or_none()
        if found is None or found.opted_out or found.promotional == "opted_out":
            return Verdict(allowed=False, reason="opted out")
        return Verdict(allowed=True, reason="opted in")

    uvicorn.run(app, port=port, **OPTIONS)  # type: ignore[arg-type]  # one mapping for three options


if __name__ == "__main__":
    if sys.argv[1] == "echo":
        echo(int(sys.argv[2]), int(sys.argv[3]))
    else:
        homemade(int(sys.argv[2]), sys.argv[3])
