"""A call and its replies, over as many connections as it takes; without any input or output.

What is lost is resumed as libelluminate does it: a stream of a task with what came after the last event, a
list and a monitor behind their cursors, so that no reply is missed or repeated; a call that changes nothing,
or has an idempotency key, by asking again."""

from __future__ import annotations

import random
import time
from typing import Any, Iterator, NamedTuple

from . import wire
from .errors import ConnectionLost, DaemonError, ProtocolError

RECONNECT_SECONDS = 60.0
_BACKOFF_FIRST = 0.01
_BACKOFF_LAST = 1.0


class Method(NamedTuple):
    """What there is to know of a method to call it."""

    name: str  # qualified
    replies: str  # one, late, pages, events
    repeatable: bool
    kinds: dict[str, Any]  # of its request
    reply: Any  # the record

    @classmethod
    def unknown(cls, name: str) -> Method:
        """One that this version does not know: it may take as long as it likes."""
        return cls(name if "." in name else "org.elluminate." + name, "events", False, {}, None)


WATCH_TASK = "org.elluminate.WatchTask"
SHUTTING_DOWN = "org.elluminate.ShuttingDown"


def _pauses() -> Iterator[float]:
    """Before each further try to connect: none at first, then ever longer ones, with jitter."""
    yield 0.0
    pause = _BACKOFF_FIRST
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(2 * pause, _BACKOFF_LAST)


class Exchange:
    def __init__(
        self,
        method: Method,
        parameters: dict[str, Any],
        errors: dict[str, type[DaemonError]],
        more: bool = False,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        self._method = method.name
        self._parameters = parameters
        self._errors = errors
        self._more = more
        self._reconnect_seconds = reconnect_seconds
        self._follows = more and method.replies == "events" and "cursor" not in method.reply._kinds
        # A list that is read page by page asks again by itself.
        self._repeatable = method.repeatable or "idempotency_key" in parameters
        self._task_id: int | None = None
        self._away_since: float | None = None
        self._pauses = _pauses()

    @property
    def task_id(self) -> int | None:
        """The task that a stream follows, once it is known."""
        return self._task_id

    def call(self) -> bytes:
        """What to send over a new connection."""
        return wire.encode(self._method, self._parameters, self._more)

    def _is_patient(self) -> bool:
        return self._repeatable or self._task_id is not None

    def check(self, message: dict[str, Any]) -> None:
        """A daemon that goes down says so, and comes back: as if the connection were lost."""
        if message.get("error") == SHUTTING_DOWN and self._is_patient():
            raise ConnectionResetError("the daemon is going down")

    def take(self, message: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Of a message: the parameters of the reply, and whether more come."""
        self.check(message)
        error, parameters = message.get("error"), message.get("parameters", {})
        continues = message.get("continues", False)
        if not isinstance(parameters, dict) or not isinstance(continues, bool):
            raise ProtocolError("the daemon's answer is none of this protocol")
        if error is not None:
            raise self._errors.get(error, DaemonError)(str(error), parameters)
        self._away_since = None
        self._pauses = _pauses()
        self._note(parameters)
        return parameters, continues

    def _note(self, reply: dict[str, Any]) -> None:
        """Where to go on from here."""
        if not self._more:
            return
        if self._follows:
            event = reply.get("event")
            if event:
                self._task_id = event["task_id"]
                keep = {k: v for k, v in self._parameters.items() if k == "min_interval_seconds"}
                self._parameters = {**keep, "id": self._task_id, "after_sequence": event["sequence"]}
        else:
            cursor = reply.get("next_cursor") or reply.get("cursor")
            if cursor:
                self._parameters = {**self._parameters, "cursor": cursor}

    def lost(self, cause: Exception, was_sent: bool) -> float:
        """The connection is lost, or none could be had: for how long to wait before the next one is tried.
        Raises what the caller is to be told."""
        if isinstance(cause, ValueError):
            raise ProtocolError(f"the daemon's answer is none of this protocol: {cause}") from cause
        nobody = isinstance(cause, (FileNotFoundError, ConnectionRefusedError))
        patient = self._is_patient()
        if nobody and (self._away_since is None or not patient):
            raise cause  # at once: whoever wants to wait for a daemon says so
        if was_sent and not patient:
            raise ConnectionLost("the connection to the daemon was lost", True) from cause
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
        if now - self._away_since >= self._reconnect_seconds:
            raise ConnectionLost("the daemon is away", was_sent) from cause
        if self._task_id is not None:
            self._method = WATCH_TASK
        return next(self._pauses)
