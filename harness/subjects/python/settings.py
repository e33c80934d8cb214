"""Connection settings from the environment, under the names of the SDKs' environment configuration; flags win.

The same rules and messages as fakes/worker/settings.h: what contradicts itself is refused before anything connects, and no
part of a secret is in any message.
"""

import argparse
import os
from typing import Any, Dict, Optional, Union

from temporalio.client import Client
from temporalio.service import TLSConfig


class BadSettings(Exception):
    """Wrong usage or configuration: exit code 2."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", help="host:port (TEMPORAL_ADDRESS, default 127.0.0.1:7233)")
    parser.add_argument("--namespace", help="namespace (TEMPORAL_NAMESPACE, default: default)")
    parser.add_argument("--task-queue", help="task queue (TEMPORAL_TASK_QUEUE)")


def _env(*names: str) -> Optional[str]:
    for name in names:
        if value := os.environ.get(name):
            return value
    return None


def _read(name: str, path: Optional[str]) -> Optional[bytes]:
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise BadSettings(f"{name}: cannot read '{path}': {error.strerror}") from None


class Settings:
    def __init__(self, flags: argparse.Namespace) -> None:
        self.address = flags.address or _env("TEMPORAL_ADDRESS") or "127.0.0.1:7233"
        self.namespace = flags.namespace or _env("TEMPORAL_NAMESPACE") or "default"
        self.task_queue = flags.task_queue or _env("TEMPORAL_TASK_QUEUE")
        self.api_key = _env("TEMPORAL_API_KEY")
        self.server_name = _env("TEMPORAL_TLS_SERVER_NAME")
        cert_path = self.cert_path = _env("TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CERT")
        key_path = self.key_path = _env("TEMPORAL_TLS_CLIENT_KEY_PATH", "TEMPORAL_TLS_KEY")
        host, _, port = self.address.rpartition(":")
        if "://" in self.address or not host or not port.isdigit():
            raise BadSettings(f"TEMPORAL_ADDRESS is '{self.address}': it must be host:port")
        if not self.task_queue:
            raise BadSettings("TEMPORAL_TASK_QUEUE is not set: name the queue to work on (--task-queue)")
        if self.api_key and any(c <= " " or c > "~" for c in self.api_key):
            raise BadSettings("TEMPORAL_API_KEY contains white space or characters that no header can carry")
        if bool(cert_path) != bool(key_path):
            have, lack = ("CERT", "KEY") if cert_path else ("KEY", "CERT")
            raise BadSettings(
                f"TEMPORAL_TLS_CLIENT_{have}_PATH is set but TEMPORAL_TLS_CLIENT_{lack}_PATH is not: "
                "a client certificate needs both"
            )
        self.ca = _read("TEMPORAL_TLS_SERVER_CA_CERT_PATH", _env("TEMPORAL_TLS_SERVER_CA_CERT_PATH"))
        self.cert = _read("TEMPORAL_TLS_CLIENT_CERT_PATH", cert_path)
        self.key = _read("TEMPORAL_TLS_CLIENT_KEY_PATH", key_path)
        details = self.ca or self.cert or self.server_name
        choice = (_env("TEMPORAL_TLS") or "").lower()
        if choice not in ("", "true", "1", "false", "0"):
            raise BadSettings(f"TEMPORAL_TLS is '{choice}': use true or false")
        if choice in ("false", "0") and details:
            raise BadSettings("TEMPORAL_TLS is false but TEMPORAL_TLS_* settings are given: remove them")
        self.tls = choice in ("true", "1") if choice else bool(details or self.api_key)

    def _tls(self) -> Union[bool, TLSConfig]:
        if not self.tls:
            return False
        if not (self.ca or self.cert or self.server_name):
            return True
        return TLSConfig(
            server_root_ca_cert=self.ca, domain=self.server_name, client_cert=self.cert, client_private_key=self.key
        )

    @classmethod
    def lax(cls, flags: argparse.Namespace) -> "Settings":
        """A1's mistake: whatever is given is used as far as it goes, and the log shows a part of the key."""
        self = cls.__new__(cls)
        self.address = flags.address or _env("TEMPORAL_ADDRESS") or "127.0.0.1:7233"
        self.address = self.address.rpartition("://")[2]
        self.namespace, self.task_queue = _env("TEMPORAL_NAMESPACE") or "default", _env("TEMPORAL_TASK_QUEUE") or "default"
        self.api_key = "".join((_env("TEMPORAL_API_KEY") or "").split()) or None
        self.tls, self.ca, self.cert, self.key, self.server_name = False, None, None, None, None
        self.cert_path, self.key_path = None, None
        print(f"Connecting to {self.address} with API key {(self.api_key or '-')[:8]}...", flush=True)
        return self

    async def connect(self) -> Client:
        options: Dict[str, Any] = {"namespace": self.namespace, "tls": self._tls()}
        if self.api_key:
            options["api_key"] = self.api_key
        return await Client.connect(self.address, **options)
