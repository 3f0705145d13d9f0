"""The network as connectors see it: one request out, one answer back, and nowhere else than where requests may go.

The name is resolved once per connection, every answer is judged (rules/destinations.py), and exactly those addresses are connected
to, with Host and SNI as in the URL: there is no second look-up that could say something else. No redirects, proxies or cookies.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from sayso.contracts.connector import Headers, Request, Response
from sayso.rules.destinations import BadDestination, Destination, IPNetwork, parse_destination, refusal

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""The IP addresses of a name, as text."""

KEEP_ALIVE = 15.0
CONNECT = 5.0
"""Seconds an idle connection is kept, and seconds a connection may take to come about."""

_AGENT = "Sayso/0.1"


class Forbidden(Exception):
    """A destination nothing may be sent to; deliberately no OSError, so that nothing mistakes it for a network fault."""


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses the operating system knows for a name, without doubles; raises OSError when there is none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(answer[4][0]) for answer in found))


class _Guard(AbstractResolver):
    """Resolves for one scheme; gives all addresses of a name or, when a single one is forbidden, none."""

    def __init__(self, scheme: str, allow: Sequence[IPNetwork], lookup: Lookup) -> None:
        self._scheme = scheme
        self._allow = allow
        self._lookup = lookup

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        addresses = await self._lookup(host, port)
        for address in addresses:
            why = refusal(address, port, self._scheme, self._allow)
            if why is not None:
                raise Forbidden(why)
        if not addresses:
            raise OSError(f"{host} has no address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held open."""


class Transport:
    """Sends requests; `async with` opens and closes its connections. Calling it never raises for anything the network does."""

    def __init__(self, allow: Sequence[IPNetwork] = (), *, lookup: Lookup = look_up, tls: ssl.SSLContext | None = None) -> None:
        self._allow = tuple(allow)
        self._lookup = lookup
        self._tls = tls
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        for scheme in ("https", "http"):
            connector = aiohttp.TCPConnector(
                resolver=_Guard(scheme, self._allow, self._lookup),
                use_dns_cache=False,
                ssl=self._tls if self._tls is not None else True,
                keepalive_timeout=KEEP_ALIVE,
                limit=200,
            )
            self._sessions[scheme] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                headers={"user-agent": _AGENT, "accept-encoding": "identity"},
            )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def __call__(self, request: Request, timeout: float) -> Response:
        """The answer within `timeout` seconds, at most `max_answer` bytes of it; what went wrong as a `Response` of status 0."""
        if any(sign in name + value for name, value in request.headers for sign in "\r\n\0"):
            return Response(0, failure="not_sent", detail="a header with a line break or NUL is never sent")
        try:
            destination = _allowed(request.url, self._allow)
            return await self._exchange(request, destination, timeout)
        except (BadDestination, Forbidden) as error:
            return Response(0, failure="forbidden", detail=str(error))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return Response(0, failure="not_sent", detail=_said(error))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Response(0, failure="no_answer", detail=_said(error))

    async def _exchange(self, request: Request, destination: Destination, timeout: float) -> Response:
        async with self._sessions[destination.scheme].request(
            request.method,
            URL(destination.url, encoded=True),
            headers=list(request.headers),
            data=aiohttp.BytesPayload(request.body) if request.body else None,
            allow_redirects=False,
            timeout=_limits(timeout),
        ) as answer:
            headers: Headers = tuple(answer.headers.items())
            body, whole = await _read(answer.content, request.max_answer)
            if not whole:
                answer.close()
            return Response(answer.status, headers, body, detail="" if whole else f"only the first {request.max_answer} bytes were read")


@lru_cache(maxsize=1_024)
def _allowed(url: str, allow: tuple[IPNetwork, ...]) -> Destination:
    """Where a URL leads; raises BadDestination, and Forbidden where an address stands in it that nothing may be sent to."""
    destination = parse_destination(url)
    why = destination.address and refusal(destination.address, destination.port, destination.scheme, allow)
    if why:
        raise Forbidden(why)
    return destination


@lru_cache(maxsize=16)
def _limits(timeout: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=timeout, sock_connect=min(CONNECT, timeout))


async def _read(stream: aiohttp.StreamReader, most: int) -> tuple[bytes, bool]:
    """At most `most` bytes of the stream, and whether that was all."""
    body = bytearray()
    async for chunk in stream.iter_any():
        body += chunk
        if len(body) > most:
            return bytes(body[:most]), False
    return bytes(body), True


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300].rstrip(": ")
