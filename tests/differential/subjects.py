"""The two servers that are compared, as processes, and what one sees of them: answers without what may differ.

A Subject starts its server, calls it through the Python SDK's own gRPC client, and turns every message into plain data
in which identifiers are replaced by symbols in the order of their first appearance, and moments by "T".
"""

import asyncio
import base64
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
from datetime import timedelta

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import Default as default_pool
from google.protobuf.message_factory import GetMessageClass
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
import sizes
import temporalio.api.errordetails.v1  # noqa: F401  the messages of errors, known by their names
from temporalio.service import ConnectConfig, RPCError, ServiceClient

# Random identifiers wherever they appear, in fields and inside texts.
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# The server's own workers name themselves so: process, host.
WORKER = re.compile(r"\b\d+@[\w.-]*@")
# Moments inside texts: ids of workflows that schedules start, messages of errors.
MOMENT = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d{4} UTC|Z)?")
# Sizes inside texts, of either server's own encoding.
SIZE = re.compile(r"\btransaction size of \d+ bytes")

# A query that no worker took: the server and the client give up at nearly the same time, and either may be first.
QUERY_TIMED_OUT = ("query timed out before a worker could process it", "Timeout expired")

# Fields, and headers of Nexus, that are left out on both sides, each for a reason that docs/fake-server.md gives to users.
LEFT_OUT = {
    "task_id": "an internal number of the history shard",
    "history_size_bytes": "depends on the internal encoding",
    "size_bytes": "depends on the internal encoding",
    "state_size_bytes": "depends on the internal encoding",
    "next_page_token": "opaque; pages themselves are compared",
    "task_token": "opaque",
    "long_poll_token": "opaque",
    "conflict_token": "opaque",
    "close_shard_id": "internal",
    "state_transition_count": "internal bookkeeping",
    "approximate_backlog_count": "an approximation by its own word",
    "backlog_count_hint": "an approximation of a moment",
    "server_response_time": "a moment",
    "poller_scaling_decision": "depends on how many milliseconds a task has waited",
    "request-timeout": "what is left of it when a Nexus task is polled",
    "Request-Timeout": "the same",
    "temporal-callback-token": "opaque",
    "custom_search_attribute_aliases": "which column of its table an attribute has; any that is free",
    "address": "of the server itself",
    "http_address": "the same",
    "routing_config_update_state": "the real server changes routing in the background",
    "previous_version": "the real server repeats a change that takes long, and then tells what it has just set",
    "previous_deployment_version": "the same",
    "persistence_store": "what this kind of server keeps its data in",
    "visibility_store": "the same",
    "version_info": "of a service that looks for newer versions",
    "execution_duration": "a length of time as measured",
    "first_workflow_task_backoff": "of a run that continues another: what is left of a second since that one's start",
}


class Scrubber:
    """Replaces what differs between two correct servers. One for each subject and script."""

    def __init__(self, nonce):
        self._nonce = nonce
        self._symbols = {}

    def mark(self):
        """How many symbols there are; back_to() forgets those that came after."""
        return len(self._symbols)

    def back_to(self, mark):
        while len(self._symbols) > mark:
            self._symbols.popitem()

    def text(self, text):
        # Go's protobuf puts one or the other kind of space into its errors, so that nobody compares them.
        text = text.replace("\N{NO-BREAK SPACE}", " ").replace(self._nonce, "N")
        text = SIZE.sub("transaction size of N bytes", WORKER.sub("PID@HOST@", MOMENT.sub("T", text)))
        return UUID.sub(lambda m: self._symbols.setdefault(m.group(0), f"id{len(self._symbols) + 1}"), text)

    def message(self, message):
        """A protobuf message as plain data: fields in their order, absent ones left out."""
        kind = message.DESCRIPTOR.full_name
        if kind == "google.protobuf.Timestamp":
            return "T"
        if kind == "google.protobuf.Duration":
            return f"{message.seconds + message.nanos / 1e9:g}s"
        if kind == "google.protobuf.Any":
            return self.any(message)
        result = {}
        for field, value in message.ListFields():
            if field.name in LEFT_OUT:
                continue
            result[field.name] = self._field(field, value)
        return result

    def _field(self, field, value):
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"]
            if field.name == "queries":  # by ids of this one poll: an id that comes again elsewhere says nothing
                return {f"query {i}": self._one(inner, value[k]) for i, k in enumerate(sorted(value))}
            return {self.text(str(k)): self._one(inner, value[k]) for k in sorted(value) if str(k) not in LEFT_OUT}
        if field.is_repeated:
            return [self._one(field, v) for v in value]
        return self._one(field, value)

    def _one(self, field, value):
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            return self.message(value)
        if field.type == FieldDescriptor.TYPE_ENUM:
            known = field.enum_type.values_by_number.get(value)
            return known.name if known else value
        if field.type == FieldDescriptor.TYPE_BYTES:
            try:
                return self.text(value.decode())
            except UnicodeDecodeError:
                return "base64:" + base64.b64encode(value).decode()
        if field.type == FieldDescriptor.TYPE_STRING:
            return self.text(value)
        return value

    def any(self, packed):
        """What is packed, when it is a message that this program knows."""
        name = packed.type_url.rsplit("/", 1)[-1]
        try:
            message = GetMessageClass(default_pool().FindMessageTypeByName(name)).FromString(packed.value)
        except KeyError:
            return {"type": name}
        return {"type": name, **self.message(message)}

    def error(self, error):
        details = [self.any(d) for d in error.grpc_status.details]
        if error.message in QUERY_TIMED_OUT:
            return {"code": "DEADLINE_EXCEEDED", "message": "query timed out", "details": details}
        return {"code": error.status.name, "message": self.text(error.message), "details": details}


PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
LIBC = ctypes.CDLL(None)


def _child():
    """Of a server, before exec: it ends with this process, however that one ends, and takes SIGINT as usual."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Subject:
    """A server under comparison. Start it with `async with`."""

    def __init__(self, name, command):
        self.name = name
        self._command = command
        self._process = None
        self._log = None
        self.client = None

    async def __aenter__(self):
        self._log = tempfile.TemporaryFile()
        port, command = self._command()
        # Its own group, so that what the CLI starts goes with it; SIGINT as usual (a background child may inherit it ignored).
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._log, process_group=0,
            preexec_fn=_child,
        )
        if port is None:
            ready = json.loads(await asyncio.to_thread(self._process.stdout.readline))
            port = ready["port"]
        self.address = f"127.0.0.1:{port}"
        self.client = await self._connect()
        return self

    async def _connect(self):
        last = None
        for _ in range(600):
            if self._process.poll() is not None:
                self._log.seek(0)
                raise RuntimeError(f"{self.name} exited: {self._log.read().decode(errors='replace')[-2000:]}")
            try:
                client = await ServiceClient.connect(ConnectConfig(target_host=self.address))
                await client.workflow_service.describe_namespace(
                    DescribeNamespaceRequest(namespace="default"), timeout=timedelta(seconds=5))
                return client
            except (RPCError, RuntimeError) as error:
                last = error
                await asyncio.sleep(0.05)  # the server has no readiness line: asked again until it answers
        raise RuntimeError(f"{self.name} does not serve: {last}")

    async def __aexit__(self, *_):
        self.client = None
        if self._process is None:  # was not started
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                await asyncio.to_thread(self._process.wait, 10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._process.stdout.close()
        self._log.close()


# Search attributes beside the built-in ones that scripts use.
SEARCH_ATTRIBUTES = {"CustomTextField": "Text", "CustomIntField": "Int"}

# The settings of both: those under which sdk-core's own suite runs, and what else scripts use.
SETTINGS = (
    "system.enableEagerWorkflowStart=true", "frontend.workerVersioningWorkflowAPIs=true",
    "frontend.workerVersioningDataAPIs=true", "system.enableDeploymentVersions=true",
    "component.nexusoperations.recordCancelRequestCompletionEvents=true",
    "frontend.WorkerHeartbeatsEnabled=true", "frontend.ListWorkersEnabled=true",
    "history.enableWorkflowTaskCompletionPagination=true", "frontend.WorkflowPauseEnabled=true",
    "activity.enableStandalone=true", "frontend.workerCommandsEnabled=true",
    "system.enableCancelActivityWorkerCommand=true",
    f"limit.mutableStateSize.error={sizes.STATE}", f"system.transactionSizeLimit={sizes.TRANSACTION}",
)
# Scripts are quick and many: nothing of it is about rate limits, which the fake does not have.
NO_LIMITS = ("matching.rps=100000", "frontend.namespaceRPS=100000", "frontend.rps=100000",
             "frontend.namespaceRPS.visibility=100000", "frontend.globalNamespaceWorkerDeploymentReadRPS=100000",
             "frontend.rps.namespaceReplicationInducingAPIs=100000",
             "frontend.namespaceRPS.namespaceReplicationInducingAPIs=100000",
             "matching.maxDeployments=100000")
# A run is deleted once its end is known to be processed, which queues note every 30 s otherwise.
PROMPT = tuple(f'history.{queue}ProcessorUpdateAckInterval="100ms"' for queue in ("transfer", "visibility", "timer"))


def flags(settings):
    """As both programs take them."""
    return [*(part for s in settings for part in ("--dynamic-config-value", s)),
            *(f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items())]


def fake(squall_server, profile=None):
    return Subject("fake", lambda: (None, [
        squall_server, "--port", "0", "--die-with-parent", *(["--profile", profile] if profile else []),
        *flags(SETTINGS)]))


def real(temporal):
    def command():
        with socket.socket() as probe, socket.socket() as second:  # the CLI cannot say which port it took
            probe.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            port, http = probe.getsockname()[1], second.getsockname()[1]
        return port, [temporal, "server", "start-dev", "--headless", "--port", str(port), "--http-port", str(http),
                      "--log-level", "error", *flags(SETTINGS + NO_LIMITS + PROMPT)]

    return Subject("real", command)
