"""A Cell client in 60 lines: the frames of cell-protocol(7) over $CELL_RUNDIR/cells/NAME.sock."""
import functools, os, socket, struct
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
HEADER = struct.Struct("<IBBHQIIQ")  # length, channel, kind, flags, call id, code, total, timeout
HELLO, REQUEST, REPLY, ERROR, ONE_WAY, ITEM, END, CANCEL, CREDIT, GOAWAY = range(1, 11)
MORE, BODY_MAX, WINDOW = 2, 30 * 1024, 256 * 1024
STATUS = """OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED
    RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS
    UNAUTHENTICATED""".split()
class CellError(Exception):
    def __init__(self, code, text):
        super().__init__(f"{STATUS[code]}: {text}")
        self.status, self.text = STATUS[code], text
class Client:
    def __init__(self, cell, rundir=None):
        self.last_call, self.methods, self.socket = 0, {}, socket.socket(socket.AF_UNIX)
        default = (os.getuid() and os.environ.get("XDG_RUNTIME_DIR") or "/run") + "/cell"
        self.socket.connect(f"{rundir or os.environ.get('CELL_RUNDIR', default)}/cells/{cell}.sock")
        self.input = self.socket.makefile("rb")
        self._send(HELLO, 0, struct.pack("<HIIIQQ", 1, 16 << 20, 1024, WINDOW, 0, 0))
        report = wrappers_pb2.BytesValue.FromString(next(self._answers("cell.ops.v1.Ops/Schema", b"", 30)))
        pool = descriptor_pool.DescriptorPool()  # filled with what the cell says it serves
        of = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
        for file in descriptor_pb2.FileDescriptorSet.FromString(report.value).file:
            pool.AddSerializedFile(file.SerializeToString())
            for method in (m for s in pool.FindFileByName(file.name).services_by_name.values() for m in s.methods):
                found = f"{method.containing_service.full_name}/{method.name}", of(method.input_type), of(method.output_type)
                self.methods[method.name] = self.methods[found[0]] = found
    def stream(self, method, timeout=30, **fields):  # yields each message that comes back
        name, request, reply = self.methods[method]
        yield from map(reply.FromString, self._answers(name, request(**fields).SerializeToString(), timeout))
    def call(self, method, timeout=30, **fields):  # the one message that comes back
        return next(self.stream(method, timeout, **fields))
    def _answers(self, name, request, timeout):
        self.last_call, channel, body = self.last_call + 1, 2 if name.startswith("cell.ops.") else 0, b""
        fnv1a = functools.reduce(lambda code, byte: (code ^ byte) * 0x01000193 & 0xFFFFFFFF, name.encode(), 0x811C9DC5)
        self._send(REQUEST, call := self.last_call, request, channel, fnv1a or 1, int(timeout * 1e9))
        while header := self.input.read(HEADER.size):
            length, _, kind, flags, of, code, _, _ = HEADER.unpack(header)
            part = self.input.read(length)
            if kind == GOAWAY and of < call:  # it was not taken: the instance retires, or we may not call it
                raise CellError(code or 14, part.decode() or "the instance retires: connect again")
            if of != call or kind > END:
                continue  # the cell's hello, or what came late for an earlier call
            body += part
            if flags & MORE == 0:
                if kind in (ERROR, END) and code:
                    raise CellError(code, body.decode())
                if kind == END:
                    return
                yield body
                if kind == REPLY:
                    return
                self._send(CREDIT, call, b"", channel, len(body) + 32)  # it may send as much again
                body = b""
        raise CellError(14, "the cell closed the connection")
    def _send(self, kind, call, body, channel=0, code=0, timeout=0):
        for at in range(0, len(body) or 1, BODY_MAX):
            part, more, first = body[at:at + BODY_MAX], MORE * (at + BODY_MAX < len(body)), (len(body), timeout)
            self.socket.sendall(HEADER.pack(len(part), channel, kind, more, call, code, *(first if at == 0 else (0, 0))) + part)
