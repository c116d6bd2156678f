"""What an editor shows: opens a file in clangd, and asks for completions.

    editor.py CLANGD FILE [WORD ...]

Prints "LINE: text" for each diagnostic that is more than a hint, then for each WORD a line with what clangd
offers for it at the end of the file's last "WORD" (WORD itself may be "a.x").
"""
import json
import os
import pathlib
import subprocess
import sys


class Server:
    def __init__(self, program):
        self.process = subprocess.Popen([program, "--sync", "--background-index=false", "--log=error"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.n = 0

    def send(self, method, params, has_answer=True):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if has_answer:
            self.n += 1
            message["id"] = self.n
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def receive(self):
        length = 0
        while True:
            line = self.process.stdout.readline()
            if not line:
                sys.exit("clangd ended")
            if line == b"\r\n":
                return json.loads(self.process.stdout.read(length))
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])

    def ask(self, method, params):
        self.send(method, params)
        while True:
            message = self.receive()
            if message.get("id") == self.n and "method" not in message:
                return message.get("result")

    def diagnostics(self, uri):
        """The configuration has some of its own."""
        while True:
            message = self.receive()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                return message["params"]["diagnostics"]


def main():
    server = Server(sys.argv[1])
    path = pathlib.Path(sys.argv[2]).resolve()
    text = path.read_text()
    document = {"uri": path.as_uri()}
    server.ask("initialize", {"processId": os.getpid(), "rootUri": path.parent.as_uri(), "capabilities": {}})
    server.send("initialized", {}, has_answer=False)
    server.send("textDocument/didOpen", {"textDocument": dict(document, languageId="c", version=1, text=text)},
                has_answer=False)
    for diagnostic in server.diagnostics(document["uri"]):
        if diagnostic.get("severity", 1) < 4:
            print("%d: %s" % (diagnostic["range"]["start"]["line"] + 1, diagnostic["message"]))
    for word in sys.argv[3:]:
        before = text[:text.rindex(word) + len(word)]
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        answer = server.ask("textDocument/completion", {"textDocument": document, "position": position})
        print("%s:" % word, " ".join(item["filterText"] for item in answer["items"]))
    server.ask("shutdown", None)
    server.send("exit", None, has_answer=False)
    server.process.stdin.close()
    server.process.wait()


main()
