"""What a running server says of its own API by gRPC server reflection: methods and fields. Needs curl with HTTP/2."""

import asyncio

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

SERVICES = ("temporal.api.workflowservice.v1.WorkflowService", "temporal.api.operatorservice.v1.OperatorService")
# Messages that go with errors: of no method, so asked for by one of them.
ERRORS = "temporal.api.errordetails.v1"
SYMBOL, FILES, FILE, REFUSED = 4, 4, 1, 7  # field numbers of grpc.reflection.v1's request and response


def fields(data):
    """The wire fields of a message whose type need not be known."""
    message = Empty()
    message.ParseFromString(data)
    return [(f.field_number, f.data) for f in UnknownFieldSet(message)]


async def files_of(address, symbol):
    """The descriptors of the file that defines `symbol` and of all that it imports."""
    body = bytes([SYMBOL << 3 | 2, len(symbol)]) + symbol.encode()
    curl = await asyncio.create_subprocess_exec(
        "curl", "--silent", "--show-error", "--http2-prior-knowledge", "--header", "content-type: application/grpc",
        "--header", "te: trailers", "--data-binary", "@-",
        f"http://{address}/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    answer, _ = await curl.communicate(b"\0" + len(body).to_bytes(4, "big") + body)
    if curl.returncode != 0 or len(answer) < 5:
        raise RuntimeError(f"no server reflection at {address}")
    files = []
    for number, data in fields(answer[5:]):
        if number == REFUSED:
            raise RuntimeError(f"{address} does not know {symbol}")
        if number == FILES:
            files += [FileDescriptorProto.FromString(f) for n, f in fields(data) if n == FILE]
    return files


class Api:
    """Methods as "Service/Method" -> (request, response), and messages -> {field: the message that it is of, or ""}."""

    def __init__(self):
        self.methods, self.messages = {}, {}

    def add(self, file):
        for service in file.service:
            name = f"{file.package}.{service.name}"
            for method in service.method:
                self.methods[f"{name}/{method.name}"] = (method.input_type[1:], method.output_type[1:])
        for message in file.message_type:
            self.add_message(file.package, message)

    def add_message(self, scope, message):
        name = f"{scope}.{message.name}"
        self.messages[name] = {f.name: f.type_name[1:] if f.type == f.TYPE_MESSAGE else "" for f in message.field}
        for nested in message.nested_type:
            self.add_message(name, nested)

    @staticmethod
    async def of(address):
        api = Api()
        for symbol in (*SERVICES, ERRORS + ".NotFoundFailure"):
            for file in await files_of(address, symbol):
                api.add(file)
        return api

    def absent(self, newer):
        """Fields that only `newer` knows, in messages that both reach by a method that both have, or by an error: what this
        one neither reads nor says."""
        found, seen = [], set()
        waiting = [m for m in self.messages if m.startswith(ERRORS)]
        waiting += [m for name in sorted(self.methods) if name in newer.methods for m in newer.methods[name]]
        while waiting:
            message = waiting.pop()
            if message in seen or message not in self.messages or message not in newer.messages:
                continue
            seen.add(message)
            for field, kind in newer.messages[message].items():
                if field not in self.messages[message]:
                    found.append(f"{message}.{field}")
                elif kind:
                    waiting.append(kind)
        return sorted(found)
