"""Messages as Varlink has them (https://varlink.org): JSON objects, each ended by a NUL byte."""

from __future__ import annotations

import json
import os
from typing import Any

MESSAGE_MAX = 16 * 1024 * 1024
"""Bytes of a message, either way; the daemon's limit."""


def default_address() -> str:
    """The socket of the user's own daemon, as every client of it finds it: $ELLUMINATE_SOCKET, else below
    $XDG_RUNTIME_DIR, else in the state folder."""
    socket = os.environ.get("ELLUMINATE_SOCKET")
    if socket:
        return socket
    for variable, behind in (
        ("XDG_RUNTIME_DIR", "elluminate/socket"),
        ("XDG_STATE_HOME", "elluminate/socket"),
        ("HOME", ".local/state/elluminate/socket"),
    ):
        folder = os.environ.get(variable, "")
        if folder.startswith("/"):
            return os.path.join(folder, behind)
    raise FileNotFoundError("there is no folder in which a daemon's socket could be")


def socket_path(address: str | None) -> str:
    """The path that an address stands for: `unix:PATH`, a plain path, or None for the default."""
    if not address:
        address = default_address()
    if address.startswith("unix:"):
        return address[len("unix:") :]
    if address.startswith("bus:"):
        raise ValueError("D-Bus addresses need libelluminate; give the path of a socket")
    return address


def encode(method: str, parameters: dict[str, Any], more: bool) -> bytes:
    """A call. ValueError: a number is not finite, a text is not Unicode, or it is too large."""
    call: dict[str, Any] = {"method": method, "parameters": parameters}
    if more:
        call["more"] = True
    message = json.dumps(call, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = message.encode() + b"\0"
    if len(data) > MESSAGE_MAX:
        raise ValueError(f"the call is {len(data)} bytes long, more than {MESSAGE_MAX}")
    return data


class Decoder:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._looked = 0

    def feed(self, data: bytes) -> None:
        self._data += data

    def next(self) -> dict[str, Any] | None:
        """The next whole message, or None. ValueError: it is none, or has no end."""
        end = self._data.find(b"\0", self._looked)
        if end < 0:
            self._looked = len(self._data)
            if self._looked > MESSAGE_MAX:
                raise ValueError("a message of the daemon has no end")
            return None
        message = json.loads(self._data[:end])
        del self._data[: end + 1]
        self._looked = 0
        if not isinstance(message, dict):
            raise ValueError("a message of the daemon is no object")
        return message
