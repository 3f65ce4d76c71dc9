"""A look at the certificates that a server shows, whatever one thinks of them: no request is sent."""

import contextlib
import socket

from cryptography import x509
from OpenSSL import SSL

from medmij_conformance.wire.address import socket_address
from medmij_conformance.wire.server import TlsLine


def chain_of(address: str, server_name: str, *, timeout_s: float = 10.0) -> tuple[x509.Certificate, ...]:
    """The certificates as they were sent, the server's own first; empty when none came.

    ``address`` is where to dial (``host:port``). The server may demand a certificate of ours: its own comes before that.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    try:
        plain = socket.create_connection(socket_address(address), timeout=timeout_s)
    except OSError:
        return ()
    with plain:
        line = TlsLine(plain, context, server_name=server_name)
        with contextlib.suppress(OSError, SSL.Error):
            line.handshake()
        return line.peer(address).chain
