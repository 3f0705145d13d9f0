"""Nothing is ever sent where it may not go, whatever names, redirects or servers say."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sayso.connectors.transport import Transport, look_up
from sayso.contracts.connector import Request, Response
from sayso.rules.destinations import parse_networks

pytestmark = pytest.mark.feature("D13")
ONE = parse_networks("127.0.0.1/32")
ALL = parse_networks("127.0.0.0/8")


class Listener:
    """A server that counts every connection, before a single byte is read."""

    def __init__(self, handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.connections = 0
        self.port = 0
        self._handle = handle

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._handle(reader, writer)
        finally:
            writer.close()


def saying(answer: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return handle


OK = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


@asynccontextmanager
async def listening(handle: Callable[..., Awaitable[None]] = OK, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Listener]:
    listener = Listener(handle)
    server = await asyncio.start_server(listener.serve, host, port)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        await server.wait_closed()


def answers(*rounds: Sequence[str]) -> tuple[Callable[[str, int], Awaitable[Sequence[str]]], list[str]]:
    """A name server that says something else each time it is asked (the last answer stays), and the names it was asked for."""
    asked: list[str] = []

    async def lookup(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return rounds[min(len(asked), len(rounds)) - 1]

    return lookup, asked


async def get(transport: Transport, url: str, timeout: float = 5.0, **more: object) -> Response:
    return await transport(Request("GET", url, **more), timeout)  # type: ignore[arg-type]  # fields of a request by name


async def test_loopback_is_refused_unless_it_is_allowed() -> None:
    async with listening() as server:
        async with Transport() as transport:
            refused = await get(transport, f"http://127.0.0.1:{server.port}/")
        assert (refused.status, refused.failure, server.connections) == (0, "forbidden", 0)
        async with Transport(ALL) as transport:
            allowed = await get(transport, f"http://127.0.0.1:{server.port}/")
        assert (allowed.status, allowed.body, server.connections) == (200, b"ok", 1)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:{port}/",
        "http://127.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[::1]:{port}/",
        "http://0.0.0.0:{port}/",
        "https://127.0.0.1:{port}/",
        "https://user@127.0.0.1:{port}/",
        "https://example.com\\@127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/",
        "",
    ],
)
async def test_no_spelling_of_a_forbidden_address_gets_a_packet(url: str) -> None:
    async with listening() as server, Transport() as transport:
        answer = await get(transport, url.format(port=server.port))
        assert (answer.status, answer.failure) == (0, "forbidden") and answer.detail
        assert server.connections == 0


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["127.0.0.1", "::1"], ["10.0.0.7"], ["::ffff:127.0.0.1"]])
async def test_one_forbidden_answer_forbids_the_name(found: list[str]) -> None:
    lookup, asked = answers(found)
    async with listening() as server, Transport(lookup=lookup) as transport:
        answer = await get(transport, "https://hooks.example.com/")
        assert (answer.failure, server.connections, asked) == ("forbidden", 0, ["hooks.example.com"])


async def test_a_name_that_rebinds_never_leads_inside() -> None:
    """The name is good when it is checked and evil when it is looked up again: there is no second look-up."""
    lookup, asked = answers(["127.0.0.1"], ["127.0.0.2"])
    async with listening() as good, listening(host="127.0.0.2", port=good.port) as evil:
        async with Transport(ONE, lookup=lookup) as transport:
            first = await get(transport, f"http://hooks.example.com:{good.port}/")
            assert (first.status, asked, good.connections) == (200, ["hooks.example.com"], 1)
            for _ in range(3):
                again = await get(transport, f"http://hooks.example.com:{good.port}/")
                assert again.failure == "forbidden"
        assert (good.connections, evil.connections, len(asked)) == (1, 0, 4)


async def test_redirects_are_answers_and_are_not_followed() -> None:
    async with listening() as inside:
        away = saying(f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inside.port}/\r\nContent-Length: 0\r\n\r\n".encode())
        async with listening(away) as outside, Transport(ALL) as transport:
            answer = await get(transport, f"http://127.0.0.1:{outside.port}/")
            assert (answer.status, inside.connections) == (302, 0)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as proxy, listening() as server, Transport(ALL) as transport:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await get(transport, f"http://127.0.0.1:{server.port}/")).status == 200
        assert proxy.connections == 0


async def test_cookies_are_not_kept() -> None:
    seen: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "track=1"})

    async with serving(handler) as port, Transport(ALL) as transport:
        for _ in range(2):
            await get(transport, f"http://127.0.0.1:{port}/")
    assert seen == [None, None]


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server called `name` and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2020, 1, 1)
    built = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = folder / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cadata=built.public_bytes(serialization.Encoding.PEM).decode())


async def test_host_and_server_name_are_those_of_the_url(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, "hooks.example.com")
    names: list[str] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    hosts: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        hosts.append(request.headers["Host"])
        return web.Response(text="private")

    lookup, asked = answers(["127.0.0.1"])
    async with serving(handler, server) as port, Transport(ALL, lookup=lookup, tls=client) as transport:
        answer = await get(transport, f"https://hooks.example.com:{port}/")
        assert (answer.status, answer.body) == (200, b"private")
        assert (names, hosts, asked) == (["hooks.example.com"], [f"hooks.example.com:{port}"], ["hooks.example.com"])
        other = await get(transport, f"https://other.example.com:{port}/")
        assert (other.status, other.failure, len(hosts)) == (0, "not_sent", 1)


async def test_a_stranger_s_certificate_is_not_trusted(tmp_path: Path) -> None:
    server, _ = certificate(tmp_path, "hooks.example.com")

    async def handler(request: web.Request) -> web.Response:
        raise AssertionError("nothing may arrive")

    lookup, _ = answers(["127.0.0.1"])
    async with serving(handler, server) as port, Transport(ALL, lookup=lookup) as transport:
        answer = await get(transport, f"https://hooks.example.com:{port}/")
        assert (answer.status, answer.failure) == (0, "not_sent")


async def test_answers_are_read_to_a_limit() -> None:
    async with listening(saying(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 300_000)) as server, Transport(ALL) as transport:
        answer = await get(transport, f"http://127.0.0.1:{server.port}/", max_answer=1_000)
        assert (answer.status, len(answer.body)) == (200, 1_000) and "1000 bytes" in answer.detail


async def test_how_an_attempt_ended_is_told_apart() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with Transport(ALL) as transport:
        async with listening() as gone:
            port = gone.port
        assert (await get(transport, f"http://127.0.0.1:{port}/")).failure == "not_sent"
        async with listening(mute) as server:
            assert (await get(transport, f"http://127.0.0.1:{server.port}/", timeout=0.2)).failure == "no_answer"
        async with listening(broken) as server:
            assert (await get(transport, f"http://127.0.0.1:{server.port}/")).failure == "no_answer"
        async with listening(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf")) as server:
            assert (await get(transport, f"http://127.0.0.1:{server.port}/")).failure == "no_answer"
        async with listening(saying(b"\x00\x01 not http\r\n\r\n")) as server:
            assert (await get(transport, f"http://127.0.0.1:{server.port}/")).failure == "no_answer"
        async with listening() as server:
            split = await get(transport, f"http://127.0.0.1:{server.port}/", headers=(("x-note", "a\r\nX-Evil: 1"),))
            assert (split.failure, server.connections) == ("not_sent", 0)
    lookup, _ = answers([])
    async with Transport(ALL, lookup=lookup) as transport:
        assert (await get(transport, "https://nowhere.example.com/")).failure == "not_sent"


async def test_the_system_knows_this_machine() -> None:
    addresses = await look_up("localhost", 443)
    assert addresses and all(ipaddress.ip_address(address).is_loopback for address in addresses)
