"""A handler served over TLS on a loopback port, and clients that check its certificate."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path

import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kong_mesh_cp.shell.http.messages import Handler
from kong_mesh_cp.shell.http.server import serve_http
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.tls import Tls
from support.daemons.http_peers import NOON, Client, coded_error, echo

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate of its own authority, and its key, in PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path) -> tuple[Path, Path]:
        certificate, key = folder / "server.crt", folder / "server.key"
        certificate.write_bytes(self.certificate)
        key.write_bytes(self.key)
        key.chmod(0o600)
        return certificate, key

    def context(self, folder: Path) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.write(folder))
        return context

    def trusting(self) -> ssl.SSLContext:
        """For a client."""
        return ssl.create_default_context(cadata=self.certificate.decode())

    def presenting(self, folder: Path, trusted: Pair) -> ssl.SSLContext:
        """For a client that shows this certificate."""
        folder.mkdir(exist_ok=True)
        context = trusted.trusting()
        context.load_cert_chain(*self.write(folder))
        return context


@cache
def issued(name: str = "issued") -> Pair:
    """A pair that an authority has issued which nobody keeps."""
    authority = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .sign(authority, hashes.SHA256())
    )
    return _pair(certificate, key)


@cache
def pair(name: str = "localhost", *, days: float = 10) -> Pair:
    """A pair for `name` that ends in `days` days; negative: it has ended."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 100 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


@dataclass
class ServedTls:
    """A running server."""

    port: int
    drain: Drain
    accepting: trio.CancelScope
    conversations: trio.Nursery

    @asynccontextmanager
    async def plain(self) -> AsyncIterator[trio.SocketStream]:
        """A connection on which the test decides what is said."""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            yield stream

    @asynccontextmanager
    async def client(self, context: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
        """After the handshake. Without HTTPS's leniency: an end without an alert is an error."""
        async with self.plain() as stream:
            tls = trio.SSLStream(stream, context or pair().trusting(), server_hostname="localhost")
            await tls.do_handshake()
            yield Client(tls)


@asynccontextmanager
async def serving_tls(
    folder: Path,
    handler: Handler = echo,
    *,
    limits: Limits | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[ServedTls]:
    """Serve `handler`; everything is cut at the end of the block."""
    drain = Drain()
    made = context or pair().context(folder)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, trio.open_nursery() as conversations, trio.open_nursery() as accepting:
        await accepting.start(
            partial(
                serve_http,
                listener,
                handler,
                limits=limits or Limits(),
                error_body=coded_error,
                wall_clock=lambda: NOON,
                conversations=conversations,
                drain=drain,
                tls=Tls(lambda: made),
            )
        )
        port = listener.socket.getsockname()[1]
        yield ServedTls(port, drain, accepting.cancel_scope, conversations)
        accepting.cancel_scope.cancel()
        conversations.cancel_scope.cancel()


def shown_by(server: ssl.SSLContext) -> bytes:
    """The certificate, in PEM, that a client of this server is shown."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting_all = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting_all.check_hostname = False
    trusting_all.verify_mode = ssl.CERT_NONE
    client = trusting_all.wrap_bio(to_client, to_server)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, answering, client):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    certificate = client.getpeercert(binary_form=True)
    assert certificate is not None
    return ssl.DER_cert_to_PEM_cert(certificate).encode()
