#!/usr/bin/env python3
"""Verification in three layers, each stopping at the first fault: config (settings from the environment), component (who
answers at the address, and how), integration (the namespace, and with --canary a workflow through the task queue).

Each layer writes one line: "layer config: ok" or "layer component: FAILED: " and the cause, with what to do. As a module it
is worker.py's --preflight: the first two layers before the worker connects.
Exit codes: 0 all layers; 2 config; 3 component; 4 integration.
"""

import argparse
import asyncio
import socket
import ssl
import sys
import uuid
from datetime import timedelta
from typing import Optional

import lifecycle
from settings import BadSettings, Settings, add_arguments

LIMIT = 2.0  # seconds for each thing asked of the other end
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # and empty SETTINGS
SETTINGS_FRAME = 4
TLS_RECORDS = (0x15, 0x16)  # alert, handshake

# The reasons of OpenSSL that people meet, in words; what is not here is told as OpenSSL has it.
REASONS = {
    "CERTIFICATE_REQUIRED": "wants a client certificate and got none: set TEMPORAL_TLS_CLIENT_CERT_PATH and _KEY_PATH",
    "UNKNOWN_CA": "does not trust the authority of our client certificate",
    "CERTIFICATE_EXPIRED": "finds our client certificate expired",
    "BAD_CERTIFICATE": "refuses our client certificate",
    "UNSUPPORTED_CERTIFICATE": "refuses our client certificate: it is not for clients",
    "CERTIFICATE_UNKNOWN": "refuses our client certificate",
    "DECRYPT_ERROR": "refuses our client certificate: its key does not fit",
    "HANDSHAKE_FAILURE": "refuses the TLS handshake (no client certificate, or no version in common)",
    "WRONG_VERSION_NUMBER": "does not speak TLS: TEMPORAL_TLS is on",
}


class Fault(Exception):
    """A cause, in words."""


def _tls_fault(where: str, error: ssl.SSLError) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Fault(f"the certificate of {where} is not accepted: {error.verify_message}")
    reason = error.reason or str(error)
    words = next((text for name, text in REASONS.items() if name in reason), None)
    return Fault(f"{where} {words} ({reason})" if words else f"TLS with {where} failed: {reason}")


def _open(where: str, limit: float) -> socket.socket:
    host, _, port = where.rpartition(":")
    try:
        return socket.create_connection((host, int(port)), timeout=limit)
    except ConnectionRefusedError:
        raise Fault(f"nobody listens on {where} (connection refused): wrong port, or the server is down") from None
    except socket.gaierror as error:
        raise Fault(f"{where} has no address: {error.strerror}") from None
    except TimeoutError:
        raise Fault(f"{where} does not answer a connect within {limit:g} s: a firewall drops it") from None
    except OSError as error:
        raise Fault(f"{where}: {error.strerror or error}") from None


def _client_context(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=settings.ca.decode() if settings.ca else None)
    context.set_alpn_protocols(["h2"])
    if settings.cert_path:
        try:
            context.load_cert_chain(settings.cert_path, settings.key_path)
        except ssl.SSLError as error:
            raise Fault(f"TEMPORAL_TLS_CLIENT_CERT_PATH and its key do not fit together: {error.reason}") from None
    return context


def _speaks_tls(where: str, limit: float) -> bool:
    try:
        with _open(where, limit) as plain:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(plain, server_hostname="probe.invalid"):
                return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except (Fault, OSError):
        return False


def component(settings: Settings, limit: float = LIMIT) -> None:
    """Raises Fault with the first thing that is wrong between here and a server that speaks HTTP/2."""
    where = settings.address
    connection = _open(where, limit)
    try:
        if settings.tls:
            context = _client_context(settings)
            name = settings.server_name or settings.address.rpartition(":")[0]
            try:
                connection = context.wrap_socket(connection, server_hostname=name)
            except ssl.SSLError as error:
                raise _tls_fault(where, error) from None
            except TimeoutError:
                raise Fault(f"{where} accepts connections and is silent in the TLS handshake") from None
            except OSError as error:
                raise Fault(f"{where} ends the connection in the TLS handshake: {error.strerror or error}") from None
            if (chosen := connection.selected_alpn_protocol()) != "h2":  # type: ignore[attr-defined]
                raise Fault(f"{where} chooses {chosen or 'no protocol'} by ALPN, not h2: set the ingress transport to HTTP/2, not HTTP/1.1")
        try:
            connection.sendall(PREFACE)
            answer = connection.recv(64)
        except ssl.SSLError as error:
            raise _tls_fault(where, error) from None
        except TimeoutError:
            raise Fault(f"{where} accepts connections and is silent: a firewall, or an ingress that does not route gRPC") from None
        except OSError as error:
            answer, reset = b"", error.strerror or str(error)
        else:
            reset = "closed"
        _judge(settings, limit, answer, reset)
    finally:
        connection.close()


def _judge(settings: Settings, limit: float, answer: bytes, end: str) -> None:
    where = settings.address
    if len(answer) > 3 and answer[3] == SETTINGS_FRAME:
        return
    if answer.startswith(b"HTTP/"):
        line = answer.split(b"\r\n")[0].decode("latin-1")
        raise Fault(f"{where} answers HTTP/1.1, not HTTP/2 ('{line}'): set the ingress transport to HTTP/2")
    if not settings.tls and ((answer and answer[0] in TLS_RECORDS) or _speaks_tls(where, limit)):
        raise Fault(f"{where} speaks TLS, and this side is plaintext: set TEMPORAL_TLS=true")
    if not answer:
        raise Fault(f"{where} ends the connection without an answer ({end})")
    raise Fault(f"{where} answers something else than HTTP/2: {answer[:16]!r}")


def refusal(settings: Settings, error: Exception) -> Optional[str]:
    """What a server's refusal of our credentials means, in words; nothing for any other error."""
    text = f"{getattr(getattr(error, 'status', None), 'name', '')} {error}".replace("_", "").lower()
    where = settings.address
    if "unauthenticated" in text:
        if not settings.api_key:
            return f"{where} wants an API key, and TEMPORAL_API_KEY is not set ({error})"
        return f"{where} does not take the key in TEMPORAL_API_KEY for one ({error})"
    if "permissiondenied" in text:
        if not settings.api_key:
            return f"{where} refuses this client: TEMPORAL_API_KEY is not set, and namespace {settings.namespace} may need it ({error})"
        return f"{where} does not know this key, or not for namespace {settings.namespace}: look at TEMPORAL_API_KEY ({error})"
    return None


async def integration(settings: Settings, canary: bool, limit: float) -> None:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
    from temporalio.service import RPCError

    try:
        client = await asyncio.wait_for(settings.connect(), limit)
        request = DescribeNamespaceRequest(namespace=settings.namespace)
        await client.workflow_service.describe_namespace(request, timeout=timedelta(seconds=limit))
        if canary:
            assert settings.task_queue
            run = client.execute_workflow("Ping", "canary", id=f"canary-{uuid.uuid4()}", task_queue=settings.task_queue)
            if await asyncio.wait_for(run, limit) != "canary":
                raise Fault("the canary workflow gave another result")
    except RPCError as error:
        raise Fault(refusal(settings, error) or f"namespace {settings.namespace}: {error.message} ({error.status.name})") from None
    except TimeoutError:
        raise Fault(f"no answer within {limit:g} s: does anybody poll the task queue {settings.task_queue}?") from None
    except RuntimeError as error:
        raise Fault(refusal(settings, error) or str(error)) from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--canary", action="store_true", help="run a Ping workflow through the task queue as well")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds for each step of the integration layer (default 10)")
    flags = parser.parse_args()

    def failed(layer: str, error: Exception, code: int) -> int:
        print(f"layer {layer}: FAILED: {error}", file=sys.stderr, flush=True)
        return code

    try:
        settings = Settings(flags)
    except BadSettings as error:
        return failed("config", error, 2)
    print("layer config: ok", flush=True)
    try:
        component(settings)
    except Fault as error:
        return failed("component", error, 3)
    print("layer component: ok", flush=True)
    try:
        asyncio.run(integration(settings, flags.canary, flags.limit))
    except Fault as error:
        return failed("integration", error, 4)
    print("layer integration: ok", flush=True)
    return 0


if __name__ == "__main__":
    lifecycle.leave(main())
