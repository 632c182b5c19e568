"""client_test.py PACKAGE-FOLDER PART [URL]: the Python client against the daemon of $ELLUMINATE_SOCKET."""

import asyncio
import sys
import threading
from datetime import datetime, timezone
from decimal import Decimal

sys.path.insert(0, sys.argv[1])

import elluminated  # noqa: E402
from elluminated import AsyncClient, Client, LLMConfig, Ref  # noqa: E402

URL = sys.argv[3] if len(sys.argv) > 3 else None
TOPICS = [{"topic": topic} for topic in ("coffee", "rain", "the sea")]
QUESTIONS = ["Is it a haiku of three lines?", "Is it about {{topic}}?"]


def experiment(name, **others):
    parts = {
        "name": name,
        "prompt_template": {"name": name, "messages": "Write a haiku about {{topic}}."},
        "collection": {"name": name, "variables": TOPICS},
        "criteria": QUESTIONS,
    }
    if URL:
        parts["llm_config"] = LLMConfig(
            name="sim",
            provider="openai",
            llm_model_name="m",
            llm_base_url=URL,
            price_input=Decimal("1.5"),
            price_output=Decimal(2),
        )
    return {**parts, **others}


def raised(error, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except error as said:
        return said
    raise AssertionError(f"no {error.__name__}")


def blocking():
    with Client() as daemon:
        task = daemon.run_experiment(**experiment("first"))
        assert task.is_success and task.is_complete and not task.is_failure, task
        assert task.progress.responses_rated == 3
        assert task.created_at.tzinfo is not None and task.created_at <= datetime.now(timezone.utc)
        assert task.result.results.responses == 3 and task.result.results.cost is not None

        # By id, by name, by Ref, by itself.
        one = daemon.get_experiment("first")
        for name in (one.id, Ref(id=one.id), {"name": "first"}, one):
            assert daemon.get_experiment(name) == one
        rows = list(daemon.list_template_variables("first", limit=2))
        assert [row.input_values for row in rows] == TOPICS
        responses = daemon.list_responses(one)
        assert responses.count() == 3 and len(responses.all()) == 3
        assert [r.criterion.criterion_str for r in responses.all()[0].ratings] == QUESTIONS
        assert daemon.get_llm_config("sim").price_input == Decimal("1.5")
        assert [t.id for t in daemon.list_tasks(since=task.created_at)] == [task.id]

        # What is made of a record that was got is as it was, but for what the daemon gives.
        collection = daemon.create_collection("Cities", variables=[{"city": "Ulm"}], read_only=False)
        assert collection.to_wire().keys() & {"id", "created_at", "variables_count"} == set()
        added = daemon.add_template_variables(collection, variables=[{"city": "Köln"}])
        assert (added.added, added.variables_count) == (1, 2)

        streamed = list(daemon.run_experiment_stream(**experiment("streamed", min_interval_seconds=0.05)))
        assert streamed[-1].is_success and not any(event.is_complete for event in streamed[:-1])
        assert [e.sequence for e in streamed] == sorted(e.sequence for e in streamed)
        assert daemon.call_raw("GetTask", {"id": task.id})["task"]["status"] == "SUCCESS"

        many = [threading.Thread(target=daemon.get_task, args=(task.id,)) for _ in range(20)]
        for thread in many:
            thread.start()
        for thread in many:
            thread.join()
    raised(elluminated.ElluminateError, daemon.get_task, 1)


def errors():
    with Client() as daemon:
        said = raised(elluminated.NotFound, daemon.get_collection, "nowhere")
        assert (said.resource_type, said.name, said.id) == ("collection", "nowhere", None)
        assert said.exit_status == 27 and "nowhere" in str(said)
        daemon.create_collection("taken")
        said = raised(elluminated.Conflict, daemon.create_collection, "taken")
        assert said.resource_name == "taken" and said.reason
        said = raised(elluminated.InvalidParameter, daemon.create_collection, "x" * 201)
        assert said.parameter == "collection.name", said.parameters
        said = raised(elluminated.DaemonError, daemon.call_raw, "NoSuchMethod")
        assert said.error_name.endswith("MethodNotFound")
        raised(ValueError, daemon.list_tasks, since=datetime.now())
        raised(ValueError, daemon.call_raw, "PlanExperiment", {"run": {"n_epochs": float("nan")}})
        task = daemon.run_experiment(**experiment("empty", collection={"name": "none", "variables": []}))
        assert task.status == "REJECTED" and task.error.message, task
    raised(FileNotFoundError, Client, "/nonexistent/socket")
    raised(ValueError, Client, "bus:session")


def cancelled():
    """The endpoint never answers."""
    with Client() as daemon:
        with daemon.run_experiment_stream(**experiment("hangs")) as stream:
            for event in stream:
                if event.status == "STARTED" and not event.is_complete:
                    stream.cancel_task()
                    break
            assert list(stream)[-1].status == "REVOKED"
        with daemon.run_experiment_stream(**experiment("left", cancel_on_disconnect=True)) as stream:
            task_id = next(stream).task_id
        assert daemon.watch_task(task_id).status == "REVOKED"


async def many():
    async with AsyncClient() as daemon:
        # On one connection.
        first = await daemon.run_experiment(**experiment("first"))
        tasks = await asyncio.gather(*(daemon.get_task(first.id) for _ in range(1000)))
        assert len(tasks) == 1000 and {task.id for task in tasks} == {first.id}
        status = await daemon.get_status()
        assert status.front.connections == 1, status.front

        running, most = 0, 0

        async def run(number):
            nonlocal running, most
            running += 1
            most = max(most, running)
            task = await daemon.run_experiment(**experiment(f"number {number}"))
            running -= 1
            return task

        tasks = await elluminated.gather([lambda n=n: run(n) for n in range(20)], limit=5)
        assert most == 5 and all(task.is_success for task in tasks)
        assert [task.name for task in tasks] == [f"number {n}" for n in range(20)]
        assert await daemon.list_tasks(kind="experiment").count() == 21
        assert len([task async for task in daemon.list_tasks(limit=4)]) == 21

        # Who gives up an answer leaves the others theirs.
        asks = [asyncio.ensure_future(daemon.get_task(task.id)) for task in tasks]
        asks[3].cancel()
        answers = await asyncio.gather(*asks, return_exceptions=True)
        assert isinstance(answers.pop(3), asyncio.CancelledError)
        assert [a.id for a in answers] == [t.id for t in tasks if t is not tasks[3]]


async def restarts():
    """The daemon is killed and started again after each line that is printed."""
    async with AsyncClient() as daemon:
        seen = []
        lines = 0
        async for event in daemon.run_experiment_stream(**experiment("goes on", n_epochs=3)):
            seen.append(event.sequence)
            if event.status == "STARTED" and lines == 0:
                lines += 1
                print("running", flush=True)
        assert event.is_success, event
        assert seen == sorted(seen) and event.result.results.responses == 9
        assert (await daemon.get_task(event.task_id)).is_success


def restarts_blocking():
    with Client() as daemon:
        lines = 0
        for event in daemon.run_experiment_stream(**experiment("goes on", n_epochs=3)):
            if event.status == "STARTED" and lines == 0:
                lines += 1
                print("running", flush=True)
        assert event.is_success, event
        assert daemon.get_task(event.task_id).is_success


def look(at):
    look.at.append(at)
    return {"seen": at, "é": 1}


def weigh(**_):
    raise ValueError("no scales")


async def look_slowly(at):
    look.at.append(at)
    while len(look.at) < 3:  # all three are under way at once
        await asyncio.sleep(0)
    return "slowly"


look.at = []


def with_tools(**others):
    schema = {"type": "object", "properties": {"at": {"type": "string"}}}
    config = LLMConfig(name="sim", provider="openai", llm_model_name="m", llm_base_url=sys.argv[3])
    return {
        "messages": "What is it?",
        "llm_config": config,
        "tools": [{"name": "look", "parameters": schema}, {"name": "weigh"}, {"name": "nothing"}],
        **others,
    }


def tools():
    with Client() as daemon:
        replies = []
        event = daemon.call_with_tools({"look": look, "weigh": weigh}, on_reply=replies.append, **with_tools())
        assert event.is_success and event.result.call.text, event
        assert look.at == ["some words"] * 3, look.at
        said = [call for reply in replies if reply.event for call in reply.event.tool_calls or []]
        assert {call.name for call in said} == {"look", "weigh", "nothing"}
        assert any(reply.delta for reply in replies)


async def tools_async():
    async with AsyncClient() as daemon:
        event = await daemon.call_with_tools({"look": look_slowly, "weigh": weigh}, **with_tools())
        assert event.is_success and event.result.call.text, event
        assert look.at == ["some words"] * 3, look.at


part = globals()[sys.argv[2]]
if asyncio.iscoroutinefunction(part):
    asyncio.run(part())
else:
    part()
print("ok")
