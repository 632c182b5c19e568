"""transcripts.py PACKAGE TRANSCRIPTS: what goes over the wire when connections are lost, both ways of calling.

The daemon's side is played, and hangs up behind answers that are not the last; the C library runs the same file."""

import asyncio
import json
import os
import socket
import sys
import tempfile
import threading

sys.path.insert(0, sys.argv[1])

import elluminated  # noqa: E402
from elluminated import asynchronous, blocking, exchange, interface  # noqa: E402


class Daemon:
    def __init__(self, path, transcript):
        self.transcript = transcript
        self.calls = list(transcript["calls"])
        self.wrong = None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                guest, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(guest,), daemon=True).start()

    def serve(self, guest):
        data = b""
        with guest:
            while True:
                while b"\0" not in data:
                    new = guest.recv(65536)
                    if not new:
                        return
                    data += new
                text, data = data.split(b"\0", 1)
                answers = self.answers(json.loads(text))
                for answer in answers:
                    guest.sendall(json.dumps(answer).encode() + b"\0")
                if not answers or "continues" in answers[-1]:
                    return

    def answers(self, call):
        if not self.calls:
            self.wrong = f"one more call: {call}"
            return []
        wanted = self.calls.pop(0)
        method = "org.elluminate." + wanted.get("method", self.transcript["method"])
        seen = (call["method"], call.get("parameters", {}), call.get("more", False))
        if seen != (method, wanted["parameters"], self.transcript.get("more", False)):
            self.wrong = f"{call} in place of {wanted}"
        return wanted["answers"]


def outcome(error):
    if isinstance(error, elluminated.DaemonError):
        return error.error_name if "." in error.error_name else "org.elluminate." + error.error_name
    return "lost" if isinstance(error, elluminated.ConnectionLost) else repr(error)


def of_stream(method, parameters):
    return exchange.Exchange(interface.METHODS[method], parameters, interface.ERRORS, True)


def run_blocking(path, method, parameters, more):
    replies = []
    with elluminated.Client(path) as client:
        try:
            if more:
                replies.extend(blocking.Stream(client, of_stream(method, parameters), lambda reply: reply))
            else:
                replies.append(client.call_raw(method, parameters))
        except elluminated.ElluminateError as error:
            return replies, outcome(error)
    return replies, None


async def run_asynchronous(path, method, parameters, more):
    replies = []
    async with elluminated.AsyncClient(path) as client:
        try:
            if more:
                stream = asynchronous.AsyncStream(client, of_stream(method, parameters), lambda reply: reply)
                async for reply in stream:
                    replies.append(reply)
            else:
                replies.append(await client.call_raw(method, parameters))
        except elluminated.ElluminateError as error:
            return replies, outcome(error)
    return replies, None


def check(transcript, run):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        daemon = Daemon(path, transcript)
        seen = run(path, transcript["method"], transcript["parameters"], transcript.get("more", False))
        daemon.listener.close()
    wanted = (transcript["replies"], transcript.get("error"))
    if daemon.wrong or daemon.calls or seen != wanted:
        sys.exit(f"{transcript['name']}: {daemon.wrong or daemon.calls or seen} ({run.__name__})")


with open(sys.argv[2]) as file:
    for entry in json.load(file):
        check(entry, run_blocking)
        check(entry, lambda *arguments: asyncio.run(run_asynchronous(*arguments)))
