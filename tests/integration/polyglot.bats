#!/usr/bin/env bats
# The wire is open: programs of others speak it as cell-protocol(7) says, byte by byte.

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/cell-polyglot.XXXXXX")
	export CELL_RUNDIR=$dir/run CELL_STATEDIR=$dir/state
	cellcore --rundir "$CELL_RUNDIR" --statedir "$CELL_STATEDIR" >"$dir/log" 2>&1 3>&- &
	core=$!
	until cell ps >/dev/null 2>&1; do
		kill -0 "$core" || { cat "$dir/log"; return 1; }
		sleep 0.02
	done
}

teardown() {
	kill "$core" 2>/dev/null && wait "$core" || true
	rm -rf "$dir"
}

# wire: run the program on stdin, which has the frames at hand
wire() {
	{ cat <<-'E'
		import os, re, socket, struct
		HELLO, REQUEST, REPLY, ERROR, ONE_WAY, ITEM, END, CANCEL, CREDIT, GOAWAY = range(1, 11)
		HEADER = struct.Struct("<IBBHQIIQ")
		ADA, SECOND = b"\x0a\x03Ada", 10**9

		def method(name):
		    code = 0x811C9DC5
		    for byte in name.encode():
		        code = (code ^ byte) * 0x01000193 % 2**32
		    return code or 1

		GREET, MANY, ALL, EACH = (method("cell.greeter.v1.Greeter/Greet" + m) for m in ("", "Many", "All", "Each"))

		class Wire:
		    def __init__(self, hello=struct.pack("<HIIIQQ", 1, 1 << 24, 1024, 1 << 18, 0, 0)):
		        self.socket = socket.socket(socket.AF_UNIX)
		        self.socket.connect(os.environ["CELL_RUNDIR"] + "/cells/greeter.sock")
		        self.socket.settimeout(20)
		        self.input = self.socket.makefile("rb")
		        if hello:
		            self.send(HELLO, 0, hello)
		    def send(self, kind, call, body=b"", code=0, channel=0, flags=0, total=None, timeout=SECOND):
		        total = len(body) if total is None else total
		        timeout = timeout if kind == REQUEST else 0
		        self.raw(HEADER.pack(len(body), channel, kind, flags, call, code, total, timeout) + body)
		    def raw(self, data):
		        try:
		            self.socket.sendall(data)
		        except BrokenPipeError:
		            pass
		    def recv(self):  # (kind, call, code, body), or None if the cell closed the connection
		        while True:
		            try:
		                head = self.input.read(32)
		            except ConnectionResetError:
		                return None
		            if len(head) < 32:
		                return None
		            length, _, kind, _, call, code, _, _ = HEADER.unpack(head)
		            body = self.input.read(length)
		            if kind != HELLO:
		                return kind, call, code, body
		    def greets(self, call):  # it is alive and well
		        self.send(REQUEST, call, ADA, GREET)
		        kind, of, code, body = self.recv()
		        assert (kind, of, code) == (REPLY, call, 0) and b"Hello, Ada!" in body, (kind, of, code, body)

		def expect(got, kind, call, code, text=b""):
		    assert got and got[:3] == (kind, call, code) and text in got[3], got

	E
	cat; } | python3 -
}

@test "the example of the manual is what goes over the wire" {
	wire <<-'E'
		page = open(os.environ["CELL_TOP"] + "/man/cell-protocol.7").read()
		page = page[page.index(".Sh EXAMPLES"):]
		blocks = re.findall(r"\.Bd -literal -offset indent\n(.*?)\.Ed", page, re.S)
		hello, request, reply, refusal = (
		    bytes.fromhex(" ".join(re.findall(r"^((?:[0-9a-f]{2} )+)", b, re.M))) for b in blocks)
		wire = Wire(hello=None)
		wire.raw(hello + request)
		assert wire.input.read(46) == hello[:46]
		assert struct.unpack("<Q", wire.input.read(8)) == (1 << 30,)
		wire.input.read(8)
		assert wire.input.read(len(reply)) == reply
		wire = Wire(hello=None)
		wire.raw(hello)
		wire.send(REQUEST, 1, b"", GREET)
		wire.input.read(62)
		assert wire.input.read(len(refusal)) == refusal
	E
}

@test "what nobody serves gets a typed error, and the connection stays" {
	wire <<-'E'
		wire = Wire()
		wire.send(REQUEST, 1, ADA, method("cell.greeter.v1.Greeter/Insult"))
		expect(wire.recv(), ERROR, 1, 12)
		wire.send(REQUEST, 2, ADA, GREET, channel=5)
		expect(wire.recv(), ERROR, 2, 12, b"reserved")
		wire.send(REQUEST, 3, ADA, GREET, channel=0x90)
		expect(wire.recv(), ERROR, 3, 12)
		wire.send(REQUEST, 4, b"\x0a\x05Ada", GREET)
		expect(wire.recv(), ERROR, 4, 3)
		wire.send(REQUEST, 9, b"", method("cell.ops.v1.Ops/Ping"), channel=2)
		expect(wire.recv(), REPLY, 9, 0)
		wire.greets(10)
	E
}

@test "fragments of two calls may be mixed" {
	wire <<-'E'
		wire, body = Wire(), b"\x0a\xc8\x01" + b"x" * 200
		wire.send(REQUEST, 1, body[:100], GREET, flags=2, total=len(body))
		wire.greets(2)
		wire.send(REQUEST, 1, body[100:], GREET, total=0)
		expect(wire.recv(), REPLY, 1, 0, b"x" * 200)
	E
}

@test "a payload in frames is a body like any other" {
	wire <<-'E'
		wire, body = Wire(), b"\x0a\xc8\x01" + b"x" * 200
		wire.send(REQUEST, 1, ADA, GREET, flags=1)
		expect(wire.recv(), REPLY, 1, 0, b"Hello, Ada!")
		wire.greets(2)
		wire.send(REQUEST, 3, body[:100], GREET, flags=3, total=len(body))
		wire.greets(4)
		wire.send(REQUEST, 3, body[100:], GREET, total=0)
		expect(wire.recv(), REPLY, 3, 0, b"x" * 200)
	E
}

@test "a body over the limit is refused at its first frame, its rest skipped" {
	wire <<-'E'
		wire, part = Wire(), b"x" * 30720
		wire.send(REQUEST, 1, part, GREET, flags=2, total=17 << 20)
		expect(wire.recv(), ERROR, 1, 8)
		wire.send(REQUEST, 1, part, GREET, flags=2, total=0)
		wire.send(REQUEST, 1, b"x", GREET, total=0)
		wire.greets(2)
		for call in range(3, 13):
		    wire.send(REQUEST, call, b"x", GREET, flags=2, total=2)
		expect(wire.recv(), ERROR, 11, 8)
		expect(wire.recv(), ERROR, 12, 8)
	E
}

@test "items stop where the credit ends" {
	wire <<-'E'
		wire = Wire(struct.pack("<HIIIQQ", 1, 1 << 24, 1024, 100, 0, 0))
		wire.send(REQUEST, 1, ADA + b"\x10\x64", MANY)  # 100 greetings of 15 bytes
		for _ in range(3):                                # 47 bytes each: 100, 53, 6, -41
		    expect(wire.recv(), ITEM, 1, 0)
		wire.greets(2)
		wire.send(CREDIT, 1, code=42)
		expect(wire.recv(), ITEM, 1, 0)
		wire.send(CREDIT, 1, code=100000)
		for _ in range(96):
		    expect(wire.recv(), ITEM, 1, 0)
		expect(wire.recv(), END, 1, 0)
	E
}

@test "streams go either way" {
	wire <<-'E'
		wire = Wire()
		wire.send(REQUEST, 1, b"", ALL)
		wire.send(ITEM, 1, ADA)
		wire.send(ITEM, 1, b"\x0a\x05Grace")
		wire.send(END, 1)
		expect(wire.recv(), REPLY, 1, 0, b"Hello, Ada, Grace!")
		wire.send(REQUEST, 2, b"", EACH)
		wire.send(ITEM, 2, ADA)
		expect(wire.recv(), ITEM, 2, 0, b"Hello, Ada!")
		wire.send(END, 2)
		expect(wire.recv(), END, 2, 0)
	E
}

@test "a cancelled call still ends once, and what comes late is dropped" {
	wire <<-'E'
		wire = Wire()
		wire.send(REQUEST, 1, ADA + b"\x10\x05\x18\x90\x4e", MANY)  # one each 10 s
		expect(wire.recv(), ITEM, 1, 0)
		wire.send(CANCEL, 1)
		expect(wire.recv(), ERROR, 1, 1)
		wire.send(CANCEL, 1)
		wire.send(CREDIT, 1, code=5)
		wire.send(END, 1)
		wire.greets(2)
	E
}

@test "a deadline ends a stream" {
	wire <<-'E'
		wire = Wire()
		wire.send(REQUEST, 1, ADA + b"\x10\x05\x18\x90\x4e", MANY, timeout=SECOND // 5)
		expect(wire.recv(), ITEM, 1, 0)
		expect(wire.recv(), ERROR, 1, 4)
	E
}

@test "metadata is taken off, and unknown tags are skipped" {
	wire <<-'E'
		wire = Wire()
		records = struct.pack("<BH", 9, 2) + b"??" + struct.pack("<BH", 1, 25) + bytes(25)
		wire.send(REQUEST, 1, struct.pack("<H", len(records)) + records + ADA, GREET, flags=8)
		expect(wire.recv(), REPLY, 1, 0, b"Hello, Ada!")
		wire.send(REQUEST, 2, struct.pack("<H", 400) + ADA, GREET, flags=8)
		assert wire.recv() is None
	E
}

@test "a one-way call is carried out and not answered" {
	wire <<-'E'
		wire = Wire()
		wire.send(ONE_WAY, 1, ADA, GREET)
		wire.send(REQUEST, 2, ADA, GREET)
		expect(wire.recv(), REPLY, 2, 0, b"\x10\x02")  # the second greeting
	E
}

@test "whoever breaks the rules loses the connection, and nobody else does" {
	wire <<-'E'
		hello = struct.pack("<HIIIQQ", 1, 1 << 24, 1024, 1 << 18, 0, 0)
		breaches = {
		    "no hello": lambda w: w.send(REQUEST, 1, ADA, GREET),
		    "hello twice": lambda w: w.send(HELLO, 0, hello),
		    "unknown kind": lambda w: w.send(11, 1),
		    "unknown flag": lambda w: w.send(REQUEST, 1, ADA, GREET, flags=16),
		    "flag on a cancel": lambda w: w.send(CANCEL, 1, flags=2),
		    "cancel with a body": lambda w: w.send(CANCEL, 1, b"x"),
		    "too long": lambda w: w.send(REQUEST, 1, b"x" * 30721, GREET),
		    "no call id": lambda w: w.send(REQUEST, 0, ADA, GREET),
		    "a reply": lambda w: w.send(REPLY, 1, ADA),
		    "a goaway": lambda w: w.send(GOAWAY, 0),
		    "item of nothing": lambda w: w.send(ITEM, 7, ADA),
		    "id used twice": lambda w: (w.greets(5), w.send(REQUEST, 5, ADA, GREET)),
		    "too many fragments": lambda w: (w.send(REQUEST, 1, b"x", GREET, flags=2, total=5),
		                                     w.send(REQUEST, 1, b"x" * 9, GREET, total=0)),
		    "a memfd on a stream": lambda w: w.send(REQUEST, 1, b"", GREET, flags=1),
		    "half a frame": lambda w: (w.raw(bytes(10)), w.socket.shutdown(socket.SHUT_WR)),
		}
		bystander = Wire()
		bystander.greets(1)
		for name, breach in breaches.items():
		    wire = Wire(hello=None if name == "no hello" else hello)
		    breach(wire)
		    assert wire.recv() is None, name
		for name, hello in {"version": struct.pack("<HIIIQQ", 2, 0, 0, 0, 0, 0), "short": hello[:29]}.items():
		    assert Wire(hello).recv() is None, name
		bystander.greets(2)
	E
}

@test "a retiring cell says goaway, with the last call it took" {
	wire <<-'E'
		import subprocess
		wire = Wire()
		wire.greets(7)
		subprocess.run(["cell", "retire", "-q", "greeter"], check=True)
		assert wire.recv() == (GOAWAY, 7, 0, b"")
		assert wire.recv() is None
	E
}

@test "the control protocol and the rings can be spoken from the manual alone" {
	python3 - <<-'E'
		import hashlib, mmap, os, select, socket, struct
		HEADER = struct.Struct("<IBBHQIIQ")
		TAIL, HEAD, SLEEPING, OWN, PEER = 0, 128, 256, 131072, 131072 + 384

		def method(name):
		    code = 0x811C9DC5
		    for byte in name.encode():
		        code = (code ^ byte) * 0x01000193 % 2**32
		    return code or 1

		def frame(kind, call, body, code=0, timeout=10**10):
		    return HEADER.pack(len(body), 0, kind, 0, call, code, len(body), timeout if kind == 2 else 0) + body

		def varint(data):
		    size = next(i for i, byte in enumerate(data) if byte < 128) + 1
		    return sum((byte & 127) << 7 * i for i, byte in enumerate(data[:size])), data[size:]

		def fields(data):  # {number: value}, of varints and bytes
		    out = {}
		    while data:
		        tag, data = varint(data)
		        value, data = varint(data)
		        if tag & 7:
		            value, data = data[:value], data[value:]
		        out.setdefault(tag >> 3, value)
		    return out

		control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		control.connect(os.environ["CELL_RUNDIR"] + "/core.sock")

		def ask(call, name, body):
		    control.send(frame(2, call, body, method("cell.core.v1.Core/" + name)))
		    packet, fds, _, _ = socket.recv_fds(control, 8192, 4)
		    head = HEADER.unpack(packet[:32])
		    assert head[2] == 3 and head[4] == call, (head, packet[32:])
		    return packet[32:], fds

		nonce = fields(ask(1, "Hello", b"\x08\x01\x12\x06python")[0])[2]
		key = open(os.environ["CELL_RUNDIR"] + "/key", "rb").read()
		mac = hashlib.blake2b(nonce + b"cell core v1", key=key, digest_size=32).digest()
		ask(2, "Authenticate", b"\x0a\x20" + mac)
		memfd, bell, peer_bell, lifeline = ask(3, "Connect", b"\x0a\x07greeter")[1]
		ring = mmap.mmap(memfd, 135168)
		# Whole words: struct moves byte by byte, and half an index makes no sense to the cell.
		words, halves = memoryview(ring).cast("Q"), memoryview(ring).cast("I")

		def word(at):
		    return words[at // 8]

		def send(data):
		    tail, data = word(OWN + TAIL), data + bytes(-len(data) % 8)
		    at = tail % 65536
		    first = min(len(data), 65536 - at)
		    ring[at:at + first], ring[:len(data) - first] = data[:first], data[first:]
		    words[(OWN + TAIL) // 8] = tail + len(data)
		    if halves[(PEER + SLEEPING) // 4]:
		        halves[(PEER + SLEEPING) // 4] = 0
		        os.write(peer_bell, struct.pack("<Q", 1))

		def recv():
		    head = word(OWN + HEAD)
		    while word(PEER + TAIL) == head:
		        halves[(OWN + SLEEPING) // 4] = 1
		        if word(PEER + TAIL) == head:
		            ready = select.select([bell, lifeline], [], [], 20)[0]
		            assert ready and lifeline not in ready, "the cell is gone, or silent"
		            os.read(bell, 8)
		    area, at = ring[65536:131072] * 2, head % 65536
		    header = HEADER.unpack(area[at:at + 32])
		    words[(OWN + HEAD) // 8] = head + (32 + header[0] + 7) // 8 * 8
		    return header, area[at + 32:at + 32 + header[0]]

		send(frame(1, 0, struct.pack("<HIIIQQ", 1, 1 << 24, 1024, 1 << 18, 0, 0)))
		assert recv()[0][2] == 1
		for call in range(1, 3001):  # twice around the ring, and more
		    send(frame(2, call, b"\x0a\x03Ada", method("cell.greeter.v1.Greeter/Greet")))
		    header, body = recv()
		    assert header[2] == 3 and header[4] == call and body.startswith(b"\x0a\x0bHello, Ada!"), header
	E
}

@test "a wrong proof is refused, and the connection closed" {
	python3 - <<-'E'
		import os, socket, struct
		HEADER = struct.Struct("<IBBHQIIQ")
		def method(name):
		    code = 0x811C9DC5
		    for byte in name.encode():
		        code = (code ^ byte) * 0x01000193 % 2**32
		    return code or 1

		def talk(*requests):  # the status of each; None: the connection was closed
		    control, statuses = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET), []
		    control.connect(os.environ["CELL_RUNDIR"] + "/core.sock")
		    try:
		        for call, (name, body) in enumerate(requests, 1):
		            code = method("cell.core.v1.Core/" + name)
		            control.send(HEADER.pack(len(body), 0, 2, 0, call, code, len(body), 10**10) + body)
		            packet = control.recv(8192)
		            statuses.append(HEADER.unpack(packet[:32])[5] if packet else None)
		    except (BrokenPipeError, ConnectionResetError):
		        statuses.append(None)
		    return statuses

		hello, connect = ("Hello", b"\x08\x01"), ("Connect", b"\x0a\x07greeter")
		proof = ("Authenticate", b"\x0a\x20" + bytes(32))
		assert talk(connect, hello) == [16, None], "nothing before hello"
		assert talk(hello, connect, hello) == [0, 16, None], "nothing before the proof"
		assert talk(hello, proof, connect) == [0, 16, None], "no second try"
	E
}

@test "the C client builds against the library, and greets" {
	# A sanitized library wants a sanitized program.
	mapfile -t sanitizer < <(grep -oE -- '-fsanitize=[a-z]+' "$CELL_BUILD/flags" | sort -u)
	cc "${sanitizer[@]}" -std=c11 -Wall -Wextra -Werror -o "$dir/greet" \
		-I "$CELL_TOP/core/include" -I "$CELL_BUILD/gen" \
		"$CELL_TOP/clients/c/greet.c" "$CELL_BUILD/gen/greeter.cell.c" \
		"$CELL_BUILD/lib/libcell.so" -Wl,-rpath,"$CELL_BUILD/lib"
	run "$dir/greet" Ada
	[ "$status" -eq 0 ]
	[ "$output" = "Hello, Ada!" ]
	run env CELL_RUNDIR="$dir/nowhere" "$dir/greet"
	[ "$status" -eq 4 ]
	[[ $output == *"run: cell up"* ]]
}
