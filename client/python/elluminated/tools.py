"""What both clients do with functions that models call."""

from __future__ import annotations

import json
from typing import Any, Callable, Mapping

from .interface import TaskEvent, ToolCall

Functions = Mapping[str, Callable[..., Any]]

ROUNDS = 10  # unless the caller says


class Round:
    """Which calls have been taken: events tell of one until it is answered."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, event: TaskEvent | None) -> list[ToolCall]:
        fresh = [call for call in (event and event.tool_calls) or [] if call.id not in self._taken]
        self._taken.update(call.id for call in fresh)
        return fresh


def bind(functions: Functions, call: ToolCall) -> Callable[[], Any]:
    """The function with the call's arguments. What is wrong with the call is what it raises."""

    def run() -> Any:
        if call.name not in functions:
            raise NameError("there is no tool of this name")
        arguments = json.loads(call.arguments or "{}")
        if not isinstance(arguments, dict):
            raise TypeError("the arguments are not an object")
        return functions[call.name](**arguments)

    return run


def as_text(result: Any) -> str:
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, default=str)


def as_failure(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
