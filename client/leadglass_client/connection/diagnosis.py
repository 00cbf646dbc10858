"""Finds out why a connection failed, with a handshake that sends no request; gRPC itself says only "unavailable"."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from leadglass_client.settings.target import Target

_SECONDS = 3.0
# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_EXPIRED, _NOT_YET, _HOSTNAME_MISMATCH = 10, 9, 62


def diagnose(target: Target) -> Failure:
    """Connects once more by plain means and says in words what is wrong; at most a few seconds."""
    host, _, port = target.address.rpartition(":")
    try:
        connection = socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS)
    except socket.gaierror:
        return _unreachable(f"no address is known for {host!r}", "check the address: leadglass context show")
    except ConnectionRefusedError:
        next_step = "check the address and that the agent or the port-forward runs"
        return _unreachable(f"nothing listens at {target.address}", next_step)
    except OSError as error:
        what = f"{target.address} cannot be reached: {error.strerror or 'no answer'}"
        return _unreachable(what, "check the network, or start the port-forward again")
    with connection:
        return _diagnose_handshake(target, connection)


def _diagnose_handshake(target: Target, connection: socket.socket) -> Failure:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(target.authority)
    context.load_cert_chain(target.certificate, target.key)
    context.set_alpn_protocols(["h2"])
    context.hostname_checks_common_name = False
    try:
        with context.wrap_socket(connection, server_hostname=target.server_name) as tls:
            # With TLS 1.3 the client's certificate is judged after the client believes that the handshake is over.
            accepted = tls.recv(1) != b""
    except ssl.SSLCertVerificationError as error:
        return _server_refused(target, error.verify_code, error.verify_message)
    except TimeoutError:
        what = f"{target.address} accepted the connection and does not speak TLS"
        return _unreachable(what, "check that the address is the agent's gRPC port and not another one")
    except (ssl.SSLError, OSError) as error:
        if isinstance(error, ConnectionResetError) or "ALERT" in str(error).upper():
            return _client_refused()
        what = f"{target.address} does not speak TLS as an agent does"
        return _unreachable(what, "check that the address is the agent's gRPC port and not another one")
    if not accepted:
        return _client_refused()
    return _unreachable("the agent broke the connection", "try again; if it stays, look at the agent's own log")


def _client_refused() -> Failure:
    what = "the agent did not accept your certificate, or you sent none: another authority issued it, or it is revoked"
    next_step = "check --cert against the authorities that the agent trusts: leadglass context show"
    return Failure(ExitCode.NOT_AUTHENTICATED, what, next_step)


def _server_refused(target: Target, code: int, message: str) -> Failure:
    if code == _HOSTNAME_MISMATCH:
        what = (
            f"the server's certificate does not name {target.server_name!r}: this is another workload, or an impostor"
        )
        next_step = "check the address first, then --server-name: leadglass context show"
    elif code == _EXPIRED:
        what = "the server's certificate has expired"
        next_step = "renew the agent's certificate: the agent takes it from its tls folder"
    elif code == _NOT_YET:
        what = "the server's certificate is not valid yet"
        next_step = "check this machine's clock: date -u"
    else:
        what = f"the server's certificate is not from the authority in {target.authority} ({message})"
        next_step = "check the address first, then --ca: leadglass context show"
    return Failure(ExitCode.NOT_AUTHENTICATED, what, next_step)


def _unreachable(what: str, next_step: str) -> Failure:
    return Failure(ExitCode.UNREACHABLE, what, next_step)
