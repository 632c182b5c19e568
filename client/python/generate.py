"""generate.py INTERFACE.JSON OUT: the records, errors and methods of the interface as Python."""

from __future__ import annotations

import json
import keyword
import sys
from typing import Any, Iterator

SCALARS = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "string": "str",
    "time": "datetime",
    "money": "Decimal",
    "object": "dict[str, Any]",
}
# What says of a task where it is.
LIVES = ("Task", "TaskEvent")

HEAD = '''"""The interface as Python has it. Generated from the interface's definition."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Callable, ClassVar, Mapping, TypeVar

from .errors import DaemonError, ProtocolError
from .exchange import Method
from .record import Kind, Record, TaskLife, to_wire

if TYPE_CHECKING:
    from .asynchronous import AsyncItems, AsyncStream
    from .blocking import Items, Stream

ReplyT = TypeVar("ReplyT", bound=Record)
T = TypeVar("T")
'''


def docstring(text: str, indent: str) -> Iterator[str]:
    """At most one paragraph: the interface has no more."""
    lines = text.replace("\\", "\\\\").replace('"""', "'''").split("\n")
    if lines[-1].endswith('"'):
        lines[-1] += " "
    for i, line in enumerate(lines):
        yield f'{indent}{chr(34) * 3 if i == 0 else ""}{line}{chr(34) * 3 if i == len(lines) - 1 else ""}'


def annotation(field: dict[str, Any]) -> str:
    one = SCALARS.get(field["type"], field["type"])
    if field.get("container") == "array":
        one = f"list[{one}]"
    elif field.get("container") == "map":
        one = "dict[str, str]"
    return one


def takes(field: dict[str, Any], records: dict[str, Any]) -> str:
    """What a request takes for it."""
    name = field["type"]
    if name not in records:
        return annotation(field)
    if name == "Ref":
        one = "Ref | Record | dict[str, Any] | int | str"
    elif {f["name"] for f in records[name]["fields"]} == {"ref", "content"}:
        one = "Record | dict[str, Any] | int | str"
    elif name in ("Message", "Criterion") and field.get("container"):
        return f"list[{name}] | list[dict[str, Any]] | list[str] | str"
    else:
        one = f"{name} | dict[str, Any]"
    return f"list[{one}]" if field.get("container") else one


def kinds(fields: list[dict[str, Any]]) -> str:
    def kind(field: dict[str, Any]) -> str:
        arguments = [repr(field["type"])]
        if field.get("container"):
            arguments.append(repr(field["container"]))
        if field.get("read_only"):
            arguments.append("read_only=True")
        return f"Kind({', '.join(arguments)})"

    return "{" + ", ".join(f"{f['name']!r}: {kind(f)}" for f in fields) + "}"


def record(name: str, doc: str, fields: list[dict[str, Any]]) -> Iterator[str]:
    bases = "TaskLife, Record" if name in LIVES else "Record"
    yield ""
    yield ""
    yield "@dataclass(kw_only=True)"
    yield f"class {name}({bases}):"
    if doc:
        yield from docstring(doc, "    ")
        yield ""
    for field in fields:
        check(field["name"], RECORD_HAS)
        optional = field.get("nullable") or field.get("read_only")
        yield f"    {field['name']}: {annotation(field)}" + (" | None = None" if optional else "")
    yield f"    _kinds: ClassVar[Mapping[str, Kind]] = {kinds(fields)}"


# What the classes have of their own.
RECORD_HAS = {"from_wire", "to_wire", "is_complete", "is_success", "is_failure"}
ERROR_HAS = {"args", "error_name", "exit_status", "parameters", "qualified_name"}


def check(name: str, taken: set[str]) -> None:
    if keyword.iskeyword(name) or name.startswith("_") or name in taken:
        sys.exit(f"'{name}' can be no name in Python")


def error(interface: str, entry: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield ""
    yield f"class {entry['name']}(DaemonError):"
    yield from docstring(entry["doc"], "    ")
    yield ""
    yield f"    qualified_name = {interface + '.' + entry['name']!r}"
    yield f"    exit_status = {entry['number']}"
    for field in entry["fields"]:
        check(field["name"], ERROR_HAS)
        optional = " | None = None" if field.get("nullable") else ""
        yield f"    {field['name']}: {annotation(field)}{optional}"


class MethodText:
    """A method, as both clients have it."""

    def __init__(self, entry: dict[str, Any], records: dict[str, Any]) -> None:
        self.entry = entry
        self.records = records
        check(entry["snake"], {"close", "timeout", "call_raw", "call_with_tools"})
        paged = entry["replies"] == "pages"
        fields = [f for f in entry["request"] if not (paged and f["name"] in ("cursor", "count"))]
        required = [f for f in fields if not f.get("nullable")]
        self.content = None
        if len(required) == 1 and required[0]["type"] in records and required[0]["type"] != "Ref":
            inside = [f for f in records[required[0]["type"]]["fields"] if not f.get("read_only")]
            names = {f["name"] for f in inside}
            if not required[0].get("container") and not names & {f["name"] for f in fields}:
                self.content = required[0]
                self.inside = inside
        self.fields = [f for f in fields if f is not self.content]

    def parameters(self) -> str:
        """The first required one may be given by position."""
        inner = self.inside if self.content else []
        every = [*inner, *self.fields]
        required = [f for f in every if not f.get("nullable")]
        parts = []
        for i, field in enumerate([*required, *(f for f in every if f.get("nullable"))]):
            check(field["name"], {"self"})
            if i == min(1, len(required)):
                parts.append("*")
            text = f"{field['name']}: {takes(field, self.records)}"
            parts.append(text + (" | None = None" if field.get("nullable") else ""))
        return ", ".join(["self", *parts])

    def request(self) -> str:
        pairs = [f"{f['name']!r}: {f['name']}" for f in self.fields]
        if self.content:
            inside = ", ".join(f"{f['name']!r}: {f['name']}" for f in self.inside)
            pairs.append(f"{self.content['name']!r}: _given({{{inside}}})")
        return f"_wire({self.entry['name']!r}, {{{', '.join(pairs)}}})"

    def reply_class(self) -> str:
        return f"{self.entry['name']}Reply"

    def forms(self) -> Iterator[tuple[str, str, str, str]]:
        """Each function's ending, how it is called, what it answers, and what it takes of the reply."""
        reply = self.entry["reply"]
        names = [f["name"] for f in reply]
        if self.entry["replies"] == "pages":
            yield "", "items", reply[0]["type"], ""
            return
        if self.entry["replies"] == "events":
            if "cursor" not in names:
                one = "task" if names[:2] == ["event", "task"] and names[2:] in ([], ["delta"]) else ""
                yield "", "call", "Task" if one else self.reply_class(), f"_there(reply.{one})" if one else "reply"
            one = "event" if names == ["event", "task"] else ""
            ending = "_stream" if "cursor" not in names else ""
            yield ending, "stream", "TaskEvent" if one else self.reply_class(), f"_there(reply.{one})" if one else "reply"
            return
        if len(reply) == 1:
            optional = " | None" if reply[0].get("nullable") else ""
            yield "", "call", annotation(reply[0]) + optional, f"reply.{reply[0]['name']}"
        else:
            yield "", "call", self.reply_class() if reply else "None", "reply" if reply else "None"

    def lines(self, asynchronous: bool) -> Iterator[str]:
        for ending, form, answer, take in self.forms():
            kind = {"call": answer, "items": f"Items[{answer}]", "stream": f"Stream[{answer}]"}[form]
            if asynchronous and form != "call":
                kind = "Async" + kind
            awaited = asynchronous and form == "call"
            yield ""
            yield f"    {'async ' if awaited else ''}def {self.entry['snake']}{ending}({self.parameters()}) -> {kind}:"
            yield from docstring(self.entry["doc"], "        ")
            taken = f", lambda reply: {take}" if form != "items" else ""
            record = answer if form == "items" else self.reply_class()
            yield (
                f"        return {'await ' if awaited else ''}self._{form}"
                f"({self.entry['name']!r}, {record}, {self.request()}{taken})"
            )


BASES = '''

def _wire(method: str, arguments: dict[str, Any]) -> dict[str, Any]:
    kinds = METHODS[method].kinds
    return {name: to_wire(kinds[name], value) for name, value in _given(arguments).items()}


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _there(value: T | None) -> T:
    """What this form of a call always brings."""
    if value is None:
        raise ProtocolError("the daemon's answer lacks what was asked for")
    return value
'''

# What the clients bring.
CALLS = '''    ASYNCdef _call(
        self, name: str, reply: type[ReplyT], parameters: dict[str, Any], take: Callable[[ReplyT], T]
    ) -> T:
        raise NotImplementedError

    def _stream(
        self, name: str, reply: type[ReplyT], parameters: dict[str, Any], take: Callable[[ReplyT], T]
    ) -> PREFIXStream[T]:
        raise NotImplementedError

    def _items(self, name: str, item: type[T], parameters: dict[str, Any]) -> PREFIXItems[T]:
        raise NotImplementedError'''


def module(model: dict[str, Any]) -> Iterator[str]:
    main = model["interfaces"][0]
    records = {t["name"]: t for t in main["types"]}
    methods = [MethodText(m, records) for m in main["methods"]]
    yield HEAD
    for entry in main["types"]:
        yield from record(entry["name"], entry.get("doc", ""), entry["fields"])
    for method in methods:
        yield from record(method.reply_class(), "", method.entry["reply"])
    for interface in model["interfaces"]:
        for entry in interface["errors"]:
            yield from error(interface["name"], entry)
    yield ""
    yield ""
    yield "ERRORS: dict[str, type[DaemonError]] = {"
    for interface in model["interfaces"]:
        for entry in interface["errors"]:
            yield f"    {entry['name']}.qualified_name: {entry['name']},"
    yield "}"
    yield ""
    yield f"TaskLife.ends = {main['exit_statuses']!r}"
    yield ""
    yield "METHODS: dict[str, Method] = {"
    for method in methods:
        entry = method.entry
        repeatable = bool(entry.get("safe") or entry.get("idempotent"))
        yield f"    {entry['name']!r}: Method("
        yield f"        {main['name'] + '.' + entry['name']!r}, {entry['replies']!r}, {repeatable},"
        yield f"        {kinds(entry['request'])},"
        yield f"        {method.reply_class()},"
        yield "    ),"
    yield "}"
    yield BASES
    for name, asynchronous in (("BlockingMethods", False), ("AsyncMethods", True)):
        yield ""
        yield f"class {name}:"
        yield '    """The methods of the daemon."""'
        yield ""
        yield CALLS.replace("ASYNC", "async " * asynchronous).replace("PREFIX", "Async" * asynchronous)
        for method in methods:
            yield from method.lines(asynchronous)
        yield ""
    names = [t["name"] for t in main["types"]] + [m.reply_class() for m in methods]
    names += [e["name"] for i in model["interfaces"] for e in i["errors"]]
    yield ""
    yield "__all__ = ["
    for name in sorted(names):
        yield f"    {name!r},"
    yield "]"


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        model = json.load(file)
    text = "\n".join(module(model)) + "\n"
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write(text)


main()
