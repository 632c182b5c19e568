"""Records: what the wire has as JSON objects, with Python's own types in them. Times are aware datetimes,
money is a Decimal of US dollars; an absent value is None."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, ClassVar, Mapping, NamedTuple, TypeVar


class Kind(NamedTuple):
    """What a field is: `type` is that of one value, or the name of a record."""

    type: str
    container: str | None = None
    read_only: bool = False


RecordT = TypeVar("RecordT", bound="Record")

class Record:
    """What all records have. A dict with the same members may stand for one in requests."""

    _kinds: ClassVar[Mapping[str, Kind]]
    _records: ClassVar[dict[str, type[Record]]] = {}

    def __init_subclass__(cls) -> None:
        Record._records[cls.__name__] = cls

    @classmethod
    def from_wire(cls: type[RecordT], value: Any) -> RecordT:
        """From a JSON object; members that this version does not know are left out."""
        if not isinstance(value, dict):
            raise ValueError(f"{cls.__name__} should be an object")
        return cls(
            **{
                name: _from_wire(kind, value[name])
                for name, kind in cls._kinds.items()
                if value.get(name) is not None
            }
        )

    def to_wire(self) -> dict[str, Any]:
        """As a JSON object to send: without what is absent, or given by the daemon alone."""
        wire = {}
        for field in fields(self):  # type: ignore[arg-type]
            kind = self._kinds[field.name]
            value = getattr(self, field.name)
            if value is not None and not kind.read_only:
                wire[field.name] = to_wire(kind, value)
        return wire


class TaskLife:
    """What a task and its events say of where it is."""

    ends: ClassVar[Mapping[str, int]] = {}  # the interface's, with the command's exit status of each
    status: str

    @property
    def is_complete(self) -> bool:
        """It has ended."""
        return self.status in self.ends

    @property
    def is_success(self) -> bool:
        return self.status == "SUCCESS"

    @property
    def is_failure(self) -> bool:
        """It ended otherwise."""
        return self.is_complete and not self.is_success


def _one_from_wire(name: str, value: Any) -> Any:
    if name == "float":
        return float(value)
    if name == "time":
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    if name == "money":
        return Decimal(value)
    record = Record._records.get(name)
    return record.from_wire(value) if record else value


def _from_wire(kind: Kind, value: Any) -> Any:
    if kind.container == "array":
        return [_one_from_wire(kind.type, one) for one in value]
    return value if kind.container else _one_from_wire(kind.type, value)


def _as_ref(value: Any) -> dict[str, Any] | None:
    """What names a resource: its id, its name, or itself."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return {"id": value}
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, Record) and type(value).__name__ != "Ref" and getattr(value, "id", None):
        return {"id": value.id}  # type: ignore[attr-defined]
    return None


# A text may stand for the whole.
_SHORTHANDS = {
    "Message": lambda text: {"role": "user", "content": text},
    "Criterion": lambda text: {"criterion_str": text},
}


def _one_to_wire(name: str, value: Any) -> Any:
    if isinstance(value, str) and name in _SHORTHANDS:
        return _SHORTHANDS[name](value)
    record = Record._records.get(name)
    if name == "time" and isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time has no zone; give it one: datetime.now(timezone.utc)")
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if name == "money":
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    if not record:
        return value
    if name == "Ref":
        return _as_ref(value) or _plain(record, value)
    if record._kinds.keys() == {"ref", "content"} and not isinstance(value, record):
        return _choice(record, value)
    return _plain(record, value)


def _choice(record: type[Record], value: Any) -> dict[str, Any]:
    """What names a resource, or the content of one."""
    ref = _as_ref(value)
    if ref is None and isinstance(value, Record) and type(value).__name__ == "Ref":
        ref = value.to_wire()
    if ref is not None:
        return {"ref": ref}
    if isinstance(value, dict) and value.keys() <= record._kinds.keys():
        return {name: to_wire(record._kinds[name], one) for name, one in value.items()}
    return {"content": to_wire(record._kinds["content"], value)}


def _plain(record: type[Record], value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_wire()
    if not isinstance(value, Mapping):
        return value  # the daemon says what is wrong with it
    kinds = record._kinds
    return {name: to_wire(kinds[name], one) if name in kinds else one for name, one in value.items()}


def to_wire(kind: Kind, value: Any) -> Any:
    if kind.container == "array":
        values = [value] if isinstance(value, str) and kind.type in _SHORTHANDS else value
        return [_one_to_wire(kind.type, one) for one in values]
    return dict(value) if kind.container else _one_to_wire(kind.type, value)
