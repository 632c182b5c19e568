"""The client for asyncio."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from typing import Any, AsyncIterator, Awaitable, Callable, Generic, Iterable, TypeVar

from . import tools, wire
from .errors import ElluminateError
from .exchange import RECONNECT_SECONDS, Exchange, Method
from .interface import ERRORS, METHODS, AsyncMethods, CallReply, Conflict, TaskEvent, ToolCall
from .record import Record

ReplyT = TypeVar("ReplyT", bound=Record)
T = TypeVar("T")


class _Connection:
    """Calls follow each other on it without waiting, and answers come in the order of the calls."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = wire.Decoder()
        self._waiting: deque[asyncio.Future[dict[str, Any]]] = deque()
        self._pump: asyncio.Task[None] | None = None
        self.lost: Exception | None = None

    @classmethod
    async def open(cls, path: str) -> _Connection:
        return cls(*await asyncio.open_unix_connection(path))

    async def receive(self) -> dict[str, Any]:
        while (message := self._decoder.next()) is None:
            data = await self._reader.read(65536)
            if not data:
                raise ConnectionResetError("the daemon closed the connection")
            self._decoder.feed(data)
        return message

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def ask(self, data: bytes) -> dict[str, Any]:
        """One of many calls in flight. A caller that goes away leaves its answer to nobody."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._writer.write(data)
        if self._pump is None:
            self._pump = asyncio.create_task(self._deliver())
        return await answer

    async def _deliver(self) -> None:
        try:
            while True:
                message = await self.receive()
                answer = self._waiting.popleft()
                if not answer.done():
                    answer.set_result(message)
        except (OSError, ValueError, IndexError) as cause:
            self.lost = cause if not isinstance(cause, IndexError) else ValueError("an answer to no call")
            for answer in self._waiting:
                if not answer.done():
                    answer.set_exception(self.lost)
            self._waiting.clear()
            self._writer.close()

    def close(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
        for answer in self._waiting:
            answer.cancel()
        self._writer.close()


class AsyncStream(Generic[T]):
    """The replies of a call, one by one. Close it, or use it in an `async with`, to end it before its end; the
    task that it follows goes on."""

    def __init__(self, client: AsyncClient, exchange: Exchange, convert: Callable[[dict[str, Any]], T]) -> None:
        self._client = client
        self._exchange = exchange
        self._convert = convert
        self._connection: _Connection | None = None
        self._over = False

    @property
    def task_id(self) -> int | None:
        """The task that the stream follows; None while that is not known."""
        return self._exchange.task_id

    async def cancel_task(self) -> None:
        """Cancels that task; the stream goes on to its terminal event."""
        if self.task_id is None:
            raise ElluminateError("the stream has not told of its task yet")
        await self._client.cancel_task(self.task_id)

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if self._over:
            raise StopAsyncIteration
        try:
            reply, continues = await self._reply()
        except BaseException:
            self.close()
            raise
        if not continues:
            self.close()
        return self._convert(reply)

    async def _reply(self) -> tuple[dict[str, Any], bool]:
        was_sent = self._connection is not None
        while True:
            call = self._exchange.call() if self._connection is None else b""
            try:
                if self._connection is None:
                    self._connection = await self._client._connect()
                    await self._connection.send(call)
                    was_sent = True
                return self._exchange.take(await self._connection.receive())
            except (OSError, ValueError) as cause:
                self._drop()
                await asyncio.sleep(self._exchange.lost(cause, was_sent))

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        self._over = True
        self._drop()

    async def __aenter__(self) -> AsyncStream[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class AsyncItems(Generic[T]):
    """What a list lists: the items of all pages, one by one, each page read when it is needed."""

    def __init__(self, client: AsyncClient, method: Method, parameters: dict[str, Any]) -> None:
        self._client = client
        self._method = method
        self._parameters = parameters

    async def __aiter__(self) -> AsyncIterator[T]:
        cursor = None
        while True:
            parameters = {**self._parameters, "cursor": cursor} if cursor else self._parameters
            page = self._method.reply.from_wire(await self._client._call_wire(self._method, parameters))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    async def all(self) -> list[T]:
        return [item async for item in self]

    async def count(self) -> int:
        """How many there are."""
        reply = await self._client._call_wire(self._method, {**self._parameters, "limit": 1, "count": True})
        return int(reply["count"])


class AsyncClient(AsyncMethods):
    """A way to one daemon, for one event loop. Short calls share a connection, any number of them in flight;
    what waits for a task, and each stream, has its own. See Client for the arguments; a call's limit in time
    is `asyncio.timeout()`. A call that is cancelled may have been carried out."""

    def __init__(self, address: str | None = None, *, reconnect_seconds: float = RECONNECT_SECONDS) -> None:
        self._reconnect_seconds = reconnect_seconds
        self._path = wire.socket_path(address)
        self._shared: _Connection | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def close(self) -> None:
        """Ends the shared connection; calls that wait there are cancelled. Streams go on until they are closed
        themselves."""
        self._closed = True
        if self._shared is not None:
            self._shared.close()
            self._shared = None

    async def __aenter__(self) -> AsyncClient:
        await self._connection()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _connect(self) -> _Connection:
        if self._closed:
            raise ElluminateError("the client is closed")
        return await _Connection.open(self._path)

    async def _connection(self) -> _Connection:
        async with self._opening:
            if self._shared is None or self._shared.lost is not None:
                self._shared = await self._connect()
            return self._shared

    async def _ask(self, call: bytes, method: Method) -> dict[str, Any]:
        if method.replies not in ("events", "late"):
            return await (await self._connection()).ask(call)
        connection = await self._connect()
        try:
            return await connection.ask(call)
        finally:
            connection.close()

    async def _call_wire(self, method: Method, parameters: dict[str, Any]) -> dict[str, Any]:
        exchange = Exchange(method, parameters, ERRORS, reconnect_seconds=self._reconnect_seconds)
        while True:
            call = exchange.call()
            try:
                message = await self._ask(call, method)
                exchange.check(message)
            except (OSError, ValueError) as cause:
                await asyncio.sleep(exchange.lost(cause, was_sent=True))
                continue
            return exchange.take(message)[0]

    async def _call(
        self, name: str, reply: type[ReplyT], parameters: dict[str, Any], take: Callable[[ReplyT], T]
    ) -> T:
        return take(reply.from_wire(await self._call_wire(METHODS[name], parameters)))

    def _items(self, name: str, item: type[T], parameters: dict[str, Any]) -> AsyncItems[T]:
        return AsyncItems(self, METHODS[name], parameters)

    def _stream(
        self, name: str, reply: type[ReplyT], parameters: dict[str, Any], take: Callable[[ReplyT], T]
    ) -> AsyncStream[T]:
        exchange = Exchange(METHODS[name], parameters, ERRORS, True, self._reconnect_seconds)
        return AsyncStream(self, exchange, lambda answer: take(reply.from_wire(answer)))

    async def call_with_tools(
        self,
        functions: tools.Functions,
        *,
        on_reply: Callable[[CallReply], object] | None = None,
        tool_rounds: int = tools.ROUNDS,
        **parameters: Any,
    ) -> TaskEvent:
        """As that of Client, with coroutines or functions; the latter run in threads. All that are called at once
        run at once, and end with this."""
        taken = tools.Round()
        running: set[asyncio.Task[None]] = set()
        try:
            async with self.call_stream(tool_rounds=tool_rounds, **parameters) as stream:
                async for reply in stream:
                    if on_reply is not None:
                        on_reply(reply)
                    for call in taken.take(reply.event):
                        assert reply.event is not None
                        running.add(asyncio.create_task(self._run_tool(functions, reply.event.task_id, call)))
                    last = reply.event
        finally:
            for task in running:
                task.cancel()
        assert last is not None
        return last

    async def _run_tool(self, functions: tools.Functions, task_id: int, call: ToolCall) -> None:
        run = tools.bind(functions, call)
        try:
            if inspect.iscoroutinefunction(functions.get(call.name)):
                content = tools.as_text(await run())
            else:
                content = tools.as_text(await asyncio.to_thread(run))
        except Exception as error:
            content = tools.as_failure(error)
        try:
            await self.send_tool_result(task_id, tool_call_id=call.id, content=content)
        except Conflict:
            pass  # the call has ended meanwhile, as its stream says

    async def call_raw(self, name: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Any method, by its name (`GetStatus`, or with its interface), with JSON's own types."""
        method = METHODS.get(name) or Method.unknown(name)
        return await self._call_wire(method, parameters or {})


async def gather(awaitables: Iterable[Callable[[], Awaitable[T]]], limit: int = 0) -> list[T]:
    """Runs functions that make awaitables, at most `limit` at a time (0: all at once), and answers their
    results in order. The first one that fails cancels the others, and is raised."""
    turns = asyncio.Semaphore(limit) if limit > 0 else None

    async def run(start: Callable[[], Awaitable[T]]) -> T:
        if turns is None:
            return await start()
        async with turns:
            return await start()

    tasks = [asyncio.ensure_future(run(start)) for start in awaitables]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
