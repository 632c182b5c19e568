"""What can go wrong. Each error of the interface is a class of its own, in `elluminated.interface`."""

from __future__ import annotations

from typing import Any, ClassVar


class ElluminateError(Exception):
    """The daemon's answer was an error, or did not come."""


class ConnectionLost(ElluminateError, ConnectionError):
    """The connection ended before the answer came. `may_have_happened`: the call had been sent, so it may
    have been carried out, or not."""

    def __init__(self, message: str, may_have_happened: bool) -> None:
        super().__init__(message)
        self.may_have_happened = may_have_happened


class ProtocolError(ElluminateError):
    """What came back is no valid answer."""


class DaemonError(ElluminateError):
    """An error of the interface. `parameters` are its members as they came; those that the interface names
    are attributes, too."""

    qualified_name: ClassVar[str] = ""
    """`org.elluminate.NotFound`; "" where the daemon's is not known here: see `error_name`."""
    exit_status: ClassVar[int] = 43
    """The exit status that a command ends with."""

    def __init__(self, name: str, parameters: dict[str, Any]) -> None:
        self.error_name = name
        self.parameters = parameters
        for key in type(self).__annotations__.keys() & parameters.keys():
            setattr(self, key, parameters[key])
        details = ", ".join(f"{key}: {value}" for key, value in parameters.items() if value is not None)
        short = name.rpartition(".")[2]
        super().__init__(f"{short} ({details})" if details else short)


