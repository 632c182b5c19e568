"""The client of elluminated, the daemon that evaluates prompts and models.

    from elluminated import Client

    with Client() as daemon:
        task = daemon.run_experiment(
            name="Haiku quality",
            prompt_template={"name": "Haiku", "messages": [{"role": "user", "content": "A haiku about {{topic}}."}]},
            collection={"name": "Topics", "variables": [{"topic": "coffee"}, {"topic": "rain"}]},
            criteria=["Is it a haiku of three lines?"],
        )
        print(task.status, task.result.results.success_rate.value)

Each method of the interface is one of `Client` and, awaited, of `AsyncClient`; what has many replies is a
stream (`run_experiment_stream`) or a list to iterate over (`list_tasks`). Where a request names a resource, its
id, its name, a `Ref` or the resource itself will do, and where it may bring the content of one, a record or a
dict. `elluminated.interface` has the records and the errors.
"""

from .asynchronous import AsyncClient, AsyncItems, AsyncStream, gather
from .blocking import Client, Items, Stream
from .errors import ConnectionLost, DaemonError, ElluminateError, ProtocolError
from .interface import *  # noqa: F403
from .interface import __all__ as _interface

__all__ = [
    "AsyncClient",
    "AsyncItems",
    "AsyncStream",
    "Client",
    "ConnectionLost",
    "DaemonError",
    "ElluminateError",
    "Items",
    "ProtocolError",
    "Stream",
    "gather",
    *_interface,
]
