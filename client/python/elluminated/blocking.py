"""The blocking client."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Generic, Iterator, TypeVar

from . import tools, wire
from .errors import ElluminateError
from .exchange import RECONNECT_SECONDS, Exchange, Method
from .interface import ERRORS, METHODS, BlockingMethods, CallReply, Conflict, TaskEvent, ToolCall
from .record import Record

ReplyT = TypeVar("ReplyT", bound=Record)
T = TypeVar("T")


class _Connection:
    def __init__(self, path: str, timeout: float | None) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._decoder = wire.Decoder()
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(path)
        except BaseException:
            self._socket.close()
            raise

    def send(self, data: bytes, timeout: float | None) -> None:
        self._socket.settimeout(timeout)
        self._socket.sendall(data)

    def receive(self) -> dict[str, Any]:
        while (message := self._decoder.next()) is None:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionResetError("the daemon closed the connection")
            self._decoder.feed(data)
        return message

    def close(self) -> None:
        self._socket.close()


class Stream(Generic[T]):
    """The replies of a call, one by one. Close it, or use it in a `with`, to end it before its end; the task
    that it follows goes on. It belongs to one thread at a time."""

    def __init__(self, client: Client, exchange: Exchange, convert: Callable[[dict[str, Any]], T]) -> None:
        self._client = client
        self._exchange = exchange
        self._convert = convert
        self._connection: _Connection | None = None
        self._over = False

    @property
    def task_id(self) -> int | None:
        """The task that the stream follows; None while that is not known."""
        return self._exchange.task_id

    def cancel_task(self) -> None:
        """Cancels that task; the stream goes on to its terminal event."""
        if self.task_id is None:
            raise ElluminateError("the stream has not told of its task yet")
        self._client.cancel_task(self.task_id)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._over:
            raise StopIteration
        try:
            reply, continues = self._reply()
        except BaseException:
            self.close()
            raise
        if not continues:
            self.close()
        return self._convert(reply)

    def _reply(self) -> tuple[dict[str, Any], bool]:
        was_sent = self._connection is not None
        while True:
            call = self._exchange.call() if self._connection is None else b""
            try:
                if self._connection is None:
                    self._connection = self._client._connect()
                    self._connection.send(call, self._client.timeout)
                    was_sent = True
                    self._connection._socket.settimeout(None)
                return self._exchange.take(self._connection.receive())
            except TimeoutError:
                raise
            except (OSError, ValueError) as cause:
                self._drop()
                time.sleep(self._exchange.lost(cause, was_sent))

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        self._over = True
        self._drop()

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Items(Generic[T]):
    """What a list lists: the items of all pages, one by one, each page read when it is needed."""

    def __init__(self, client: Client, method: Method, parameters: dict[str, Any]) -> None:
        self._client = client
        self._method = method
        self._parameters = parameters

    def __iter__(self) -> Iterator[T]:
        cursor = None
        while True:
            parameters = {**self._parameters, "cursor": cursor} if cursor else self._parameters
            page = self._method.reply.from_wire(self._client._call_wire(self._method, parameters))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def all(self) -> list[T]:
        return list(self)

    def count(self) -> int:
        """How many there are."""
        reply = self._client._call_wire(self._method, {**self._parameters, "limit": 1, "count": True})
        return int(reply["count"])


class Client(BlockingMethods):
    """A way to one daemon, for any number of threads at once. Calls return when the answer is there.

    `address` is a socket's path, `unix:PATH`, or None for the user's own daemon (FileNotFoundError,
    ConnectionRefusedError: there is none). A call may take `timeout` seconds (None: as long as it takes;
    streams and what waits for a task have no limit), then TimeoutError is raised and it may have been carried
    out. For `reconnect_seconds` a stream, or a call that may be repeated, looks for a daemon that went
    away."""

    def __init__(
        self,
        address: str | None = None,
        *,
        timeout: float | None = None,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        self.timeout = timeout
        self._reconnect_seconds = reconnect_seconds
        self._path = wire.socket_path(address)
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._closed = False
        self._put_back(self._connect())

    def close(self) -> None:
        """Ends the connections. Streams that are open go on until they are closed themselves."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self) -> _Connection:
        if self._closed:
            raise ElluminateError("the client is closed")
        return _Connection(self._path, self.timeout)

    def _take_out(self) -> _Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _put_back(self, connection: _Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _call_wire(self, method: Method, parameters: dict[str, Any]) -> dict[str, Any]:
        exchange = Exchange(method, parameters, ERRORS, reconnect_seconds=self._reconnect_seconds)
        timeout = None if method.replies in ("events", "late") else self.timeout
        connection = self._take_out()
        while True:
            was_sent = False
            call = exchange.call()
            try:
                if connection is None:
                    connection = self._connect()
                connection.send(call, timeout)
                was_sent = True
                message = connection.receive()
                exchange.check(message)
            except (OSError, ValueError) as cause:
                if connection is not None:
                    connection.close()
                    connection = None
                if isinstance(cause, TimeoutError):
                    raise
                time.sleep(exchange.lost(cause, was_sent))
                continue
            except BaseException:  # interrupted: what comes would be another call's answer
                if connection is not None:
                    connection.close()
                raise
            self._put_back(connection)
            return exchange.take(message)[0]

    def _call(
        self, name: str, reply: type[ReplyT], parameters: dict[str, Any], take: Callable[[ReplyT], T]
    ) -> T:
        return take(reply.from_wire(self._call_wire(METHODS[name], parameters)))

    def _items(self, name: str, item: type[T], parameters: dict[str, Any]) -> Items[T]:
        return Items(self, METHODS[name], parameters)

    def _stream(
        self, name: str, reply: type[ReplyT], parameters: dict[str, Any], take: Callable[[ReplyT], T]
    ) -> Stream[T]:
        exchange = Exchange(METHODS[name], parameters, ERRORS, True, self._reconnect_seconds)
        return Stream(self, exchange, lambda answer: take(reply.from_wire(answer)))

    def call_with_tools(
        self,
        functions: tools.Functions,
        *,
        on_reply: Callable[[CallReply], object] | None = None,
        tool_rounds: int = tools.ROUNDS,
        **parameters: Any,
    ) -> TaskEvent:
        """Calls a model and runs the functions that it calls, by the names that `tools` has for them, until it
        has answered; the last event is the answer. A function gets the arguments by name, in a thread of its
        own where several are called at once; what it returns goes to the model, as JSON unless it is a text,
        and so does what it raises. `on_reply` is told of each reply, deltas too. Other parameters are those of
        call_stream()."""
        taken = tools.Round()
        with ThreadPoolExecutor() as pool, self.call_stream(tool_rounds=tool_rounds, **parameters) as stream:
            for reply in stream:
                if on_reply is not None:
                    on_reply(reply)
                for call in taken.take(reply.event):
                    assert reply.event is not None
                    pool.submit(self._run_tool, functions, reply.event.task_id, call)
                last = reply.event
        assert last is not None
        return last

    def _run_tool(self, functions: tools.Functions, task_id: int, call: ToolCall) -> None:
        try:
            content = tools.as_text(tools.bind(functions, call)())
        except Exception as error:
            content = tools.as_failure(error)
        try:
            self.send_tool_result(task_id, tool_call_id=call.id, content=content)
        except Conflict:
            pass  # the call has ended meanwhile, as its stream says

    def call_raw(self, name: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Any method, by its name (`GetStatus`, or with its interface), with JSON's own types."""
        method = METHODS.get(name) or Method.unknown(name)
        return self._call_wire(method, parameters or {})
