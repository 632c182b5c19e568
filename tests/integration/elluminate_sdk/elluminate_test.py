"""The elluminate SDK, unmodified, beside the HTTP front: its documentation's examples, blocking and
asynchronous, and every public method of its clients and rich models, with a table of what each came to.

elluminate_test.py DAEMON COMMAND ENDPOINT-PROGRAM
"""
import asyncio
import concurrent.futures
import inspect
import os
import threading

from front import front

import elluminate
from elluminate import AsyncClient, Client
from elluminate.exceptions import (
    APIError, AuthenticationError, ConflictError, ModelNotBoundError, NotFoundError, TaskMatchError)
from elluminate.schemas import (
    AgentTrialResult, AgentTrialTaskRef, CollectionColumn,
    CriterionSet, Experiment, GenerationParams, PromptTemplate, RatingMode, ScenarioSet,
    TemplateVariablesCollectionWithEntries as Collection)
from elluminate.streaming import TaskStatus

RICH = (PromptTemplate, Collection, CriterionSet, Experiment, ScenarioSet)

table = {}
lock = threading.Lock()


def note(name, result):
    with lock:
        table.setdefault(name, result)


def name_of(method):
    return f"{type(method.__self__).__name__}.{method.__name__}"


def said(result):
    if isinstance(result, tuple):
        return f"({said(result[0])}, {result[1]})"
    if isinstance(result, list):
        return f"{len(result)} of {type(result[0]).__name__}" if result else "none"
    return f"{type(result).__name__} {getattr(result, 'id', '')}".strip()


def do(method, *arguments, **named):
    result = method(*arguments, **named)
    note(name_of(method), said(result))
    return result


async def ado(method, *arguments, **named):
    result = await method(*arguments, **named)
    note(name_of(method), said(result))
    return result


def fails(kind, method, *arguments, **named):
    try:
        method(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError(f"{method} did not fail with {kind}")


# ---- Blocking ----

def template_of(client, name="Concept Explanation"):
    return do(client.get_or_create_prompt_template, name=name,
              messages=[{"role": "user", "content": "Explain {{concept}} in simple terms."}])


def complete_example(client):
    """From a prompt to what came of it."""
    template, created = template_of(client)
    assert created and template.placeholders == {"concept"}, template
    again, created = template_of(client)
    assert not created and again == template
    criteria, generated = do(template.get_or_generate_criteria)
    assert generated and len(criteria) > 1
    same, generated = do(template.get_or_generate_criteria)
    assert not generated and [c.id for c in same] == [c.id for c in do(template.list_criteria)]
    collection, created = do(client.get_or_create_collection, name="Concepts", defaults={
        "description": "What to explain.", "variables": [{"concept": "recursion"}, {"concept": "closures"}]})
    assert created and [row.input_values["concept"] for row in do(collection.items)] == ["recursion", "closures"]
    experiment = do(client.run_experiment, name="Explanations", prompt_template=template, collection=collection)
    assert experiment.results and 0 <= experiment.result.mean_all_ratings.yes <= 1
    responses = list(do(experiment.responses))
    assert len(responses) == 2 and all(r.response_str and len(r.ratings) == len(criteria) for r in responses)
    assert responses[0].prompt.messages[0]["content"] == "Explain recursion in simple terms."
    assert all(rating.reasoning for r in responses for rating in r.ratings)  # it rates in detail by default
    do(experiment.print_results_summary)
    return template, collection, experiment


def collections(client):
    """A batch of rows, in one upload and one step; more than a method takes at once, too."""
    many = [{"concept": f"number {n}", "n": n} for n in range(2500)]
    collection = do(client.create_collection, name="Many", variables=many[:3], columns=["concept"])
    added = do(collection.add_many, many[3:])
    assert len(added) == 2497 and added[-1].input_values["n"] == 2499 and collection.variables_count == 2500
    assert do(collection.add_many, many[:5] + [{"concept": "new", "n": 1}], skip_existing=True)[0] \
        .input_values["concept"] == "new"
    read = do(client.get_collection, name="Many")
    assert [row.id for row in read.variables[-1:]] != [added[-1].id] and len(read.variables) == 2501
    assert do(client.get_collection, id=read.id).variables == read.variables
    whole = do(client.create_collection, name="Whole", variables=many)
    assert len(whole.variables) == 2500
    assert do(read.clear).variables == []
    template, _ = template_of(client)
    fits = do(client.list_collections, compatible_prompt_template=template)
    assert {c.name for c in fits} >= {"Whole", "Concepts"} and {c.name for c in do(client.list_collections)} >= {"Many"}
    row = do(read.generate_variables, template)
    assert row.input_values["concept"]
    do(client.delete_collection, whole)
    fails(NotFoundError, client.get_collection, name="Whole")
    assert fails(APIError, read.add_many, [{"x": "y"}, []]).status_code == 422


def templates_and_criteria(client):
    template = do(client.create_prompt_template, "Tools", [
        {"role": "system", "content": "You are {{who}}."}, {"role": "user", "content": "{{question}}"}],
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        tool_choice="auto")
    assert template.tools[0].function.name == "f" and template.placeholders == {"who", "question"}
    newer = do(template.new_version, messages="{{question}}?")
    assert newer.version == 2 and do(newer.render_messages, question="Why")[0]["content"] == "Why?"
    assert do(client.get_prompt_template, name="Tools") == newer
    assert do(client.get_prompt_template, name="Tools", version=1).id == template.id
    assert do(client.get_prompt_template, id=template.id) == template
    assert [t.version for t in do(client.list_prompt_templates, name="Tools")] == [2, 1]
    plain, _ = template_of(client)
    conflict = fails(ConflictError, client.create_prompt_template, plain.name, plain.messages)
    assert conflict.resource_type == "prompt_template" and plain.name in str(conflict)
    assert len(do(newer.generate_criteria, delete_existing=True)) > 0
    criteria, created = do(client.get_or_create_criterion_set, name="Quality", defaults={"criteria": ["Is it true?"]})
    assert created and not do(client.get_or_create_criterion_set, name="Quality")[1]
    assert do(criteria.add_criterion, "Is it short?").criterion_str == "Is it short?"
    assert len(do(criteria.add_criteria, ["Is it kind?"])) == 1
    assert len(do(client.get_criterion_set, name="Quality").criteria) == 3
    linked = do(criteria.link_template, newer)
    assert [t.id for t in linked.linked_prompt_templates] == [newer.id]
    assert do(client.get_prompt_template, id=newer.id).criterion_set_id == criteria.id
    do(criteria.unlink_template, newer)
    do(criteria.clear)
    assert do(client.get_criterion_set, id=criteria.id).criteria == []
    other = do(client.create_criterion_set, "Other", criteria=["Is it?"])
    assert {s.name for s in do(client.list_criterion_sets)} >= {"Quality", "Other"}
    do(client.delete_criterion_set, other)
    do(client.delete_prompt_template, template)
    fails(NotFoundError, client.get_prompt_template, id=template.id)


def configs(client, url):
    config = do(client.create_llm_config, "local", "m", "sk-0123456789", llm_base_url=url, max_connections=4,
                max_retries=0, temperature=0.5)
    assert config.api_key == "***" and config.max_connections == 4 and config.temperature == 0.5
    assert do(client.get_llm_config, id=config.id) == config == do(client.get_llm_config, name="local")
    other, created = do(client.get_or_create_llm_config, "other", defaults={"llm_model_name": "m", "api_key": "k"})
    assert created and not do(client.get_or_create_llm_config, "other")[1]
    do(client.delete_llm_config, other)
    fails(NotFoundError, client.get_llm_config, name="other")
    assert fails(APIError, client.create_llm_config, "odd", "m", "k", best_of=3).status_code == 501
    return config


def experiments(client, template, collection, first, config):
    """A/B; answers made elsewhere; more epochs; many at once."""
    criteria = do(client.create_criterion_set, "Judged by", criteria=["Is it short?", "Is it good?"])
    parts = {"prompt_template": template, "collection": collection, "criterion_set": criteria}
    made = do(client.create_experiment, "B", **parts, llm_config=config)
    assert made.generation_task_id is None and made.results is None and made.llm_config.id == config.id
    elsewhere = do(client.create_experiment, "Elsewhere", **parts)
    with concurrent.futures.ThreadPoolExecutor() as pool:  # examples of concurrent use run so
        waiting = [
            pool.submit(do, made.run, n_epochs=1),
            pool.submit(elsewhere_example, elsewhere, collection),
            pool.submit(do, client.run_experiment, name="A", **parts | {"criterion_set": None},
                        criteria=["Is it fun?"], rating_mode=RatingMode.FAST, n_epochs=2),
            pool.submit(do, made_clone(made).run, n_epochs=3, rating_mode=RatingMode.FAST,
                        generation_params=GenerationParams(temperature=0.7)),
            pool.submit(evaluated, client, template, collection, criteria),
        ]
        for one in waiting:
            one.result()
    assert len(made.rated_responses) == 2
    do(made.retry_failed)
    found = do(client.get_experiment, name="A")
    assert found.n_epochs == 2 and len(found.rated_responses) == 4
    assert not found.rated_responses[0].ratings[0].reasoning  # fast: the verdict alone
    found = do(client.get_experiment, id=found.id, fetch_responses=False)
    assert found.rated_responses == [] and len(do(found.fetch_responses).rated_responses) == 4
    assert len(do(client.list_experiments, prompt_template=template, collection=collection)) >= 4
    assert [e.name for e in do(client.list_experiments, llm_config=config)].count("B") == 1
    samples = do(client.list_comparison_samples, first, made)
    assert {s.experiment_id for s in samples} == {first.id, made.id}
    better = client.list_comparison_samples(first, made, filter_samples_by="improved")
    worse = client.list_comparison_samples(made, first, filter_samples_by="regressed")
    assert [s.template_variables_id for s in better] == [s.template_variables_id for s in worse]
    fails(ConflictError, client.create_experiment, "A", **parts)
    do(client.delete_experiment, found)
    fails(NotFoundError, client.get_experiment, name="A")
    return made


def made_clone(experiment):
    clone = do(experiment.clone, name=experiment.name + " again", llm_config=None)
    assert clone.id != experiment.id and clone.collection.id == experiment.collection.id
    return clone


def elsewhere_example(experiment, collection):
    rows = list(collection.items())
    added = do(experiment.add_responses, ["Short.", "Kind."], rows)
    assert [r.response_str for r in added] == ["Short.", "Kind."]
    ratings = do(experiment.rate_responses)
    assert [len(of) for of in ratings] == [2, 2] and experiment.results.num_rated_responses == 2


def evaluated(client, template, collection, criteria):
    experiment = elluminate.evaluate(template, collection, criteria, client=client, name="Evaluated")
    note("evaluate", said(experiment))
    assert experiment.result


def revoked(client, it, template, collection, config):
    """What ends neither well nor as a failure ends those that poll, too."""
    it.control(latency_seconds=3600)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        run = pool.submit(client.run_experiment, name="Revoked", prompt_template=template, collection=collection,
                          llm_config=config)
        it.cancel("Revoked")
        assert run.result().results is None
    it.control(latency_seconds=0)


def errors(client, it):
    """What fails says what and how."""
    wrong = fails(AuthenticationError, Client, base_url=it.url, api_key="ellu_0000000000000000_" + "0" * 64)
    assert wrong.status_code == 401
    error = fails(NotFoundError, client.get_prompt_template, name="nowhere")
    assert "nowhere" in str(error)
    error = fails(APIError, client.create_collection, name="x" * 201)
    assert error.status_code == 422 and "name" in str(error)
    fails(ModelNotBoundError, PromptTemplate(id=1, name="x", version=1).new_version, messages="y")
    # Made without asking anything: a project that is not there.
    client.project_route_prefix = f"{it.url}/api/v0/projects/4711"
    fails(NotFoundError, client.list_collections)
    client.project_route_prefix = f"{it.url}/api/v0/projects/{client.current_project.id}"


def manual(it):
    """Resources managed by hand, and by a context."""
    client = Client(base_url=it.url, api_key=os.environ["ELLUMINATE_API_KEY"])
    assert it.url in do(client.get_info)
    do(client.check_version)
    do(client.close)
    with Client(base_url=it.url) as client:
        assert client.current_project.name == "default"


def scenario(goal, **fields):
    return {"goal": goal, "expected_conversation_outcome": f"{goal}: done.", "field_values": fields}


def scenarios(client):
    """Kept, and used as the collections that they are; nobody simulates whom a model talks to."""
    made = do(client.create_scenario_set, "Support", "Calls.", fields=["mood"])
    assert [f.name for f in made.fields] == ["mood"] and made.scenarios_count == 0
    assert do(client.create_scenario_set).name != do(client.create_scenario_set).name
    added = do(made.add_scenarios, [scenario("Cancel", mood="angry"), scenario("Ask")])
    assert [s.goal for s in added] == ["Cancel", "Ask"] and made.scenarios_count == 2
    assert do(made.add_scenarios, [scenario("Cancel", mood="angry")], skip_existing=True) == []
    assert fails(APIError, made.add_scenarios, [scenario("x", unheard_of="y")]).status_code == 422
    assert do(made.add_field, "place", default_value="home").default_value == "home"
    assert do(made.rename_field, made.fields[0], "temper").name == "temper"
    listed = do(made.list_scenarios)
    assert listed[0].field_values["temper"] == "angry" and listed[1].goal == "Ask"
    read = do(client.get_scenario_set, name="Support")
    assert {f.name for f in read.fields} == {"temper", "place"} and read == do(client.get_scenario_set, id=made.id)
    do(read.delete_field, next(f for f in read.fields if f.name == "temper"))
    one = do(read.list_scenarios)[0]
    assert "temper" not in one.field_values and do(read.get_scenario, one.id) == one
    one.goal = "Cancel it"
    changed = do(read.update_scenario, one)
    assert changed.goal == "Cancel it" and {s.goal for s in read.list_scenarios()} == {"Cancel it", "Ask"}
    do(read.delete_scenario, changed)
    assert [s.goal for s in read.list_scenarios()] == ["Ask"]
    assert [s.name for s in do(client.list_scenario_sets, "Supp")] == ["Support"]
    assert do(client.get_collection, name="Support").variables[0].input_values["goal"] == "Ask"
    fails(NotFoundError, client.get_scenario_set, id=client.get_collection(name="Concepts").id)
    do(client.delete_scenario_set, read)
    fails(NotFoundError, client.get_scenario_set, name="Support")


async def ascenarios(client):
    made = await ado(client.create_scenario_set, "Async support", fields=["mood"])
    added = await ado(made.aadd_scenarios, [scenario("Cancel", mood="angry")])
    assert (await ado(made.aget_scenario, added[0].id)).field_values == {"mood": "angry"}
    await ado(made.aadd_field, "place")
    await ado(made.arename_field, made.fields[0], "temper")
    read = await ado(client.get_scenario_set, name="Async support")
    await ado(read.adelete_field, read.fields[-1])
    one = (await ado(read.alist_scenarios))[0]
    changed = await ado(read.aupdate_scenario, one)
    await ado(read.adelete_scenario, changed)
    assert len(await ado(client.list_scenario_sets)) >= 1
    await ado(client.delete_scenario_set, read)


def trial(name, said, **more):
    steps = [{"step_id": 1, "source": "user", "message": "Go."},
             {"step_id": 2, "source": "agent", "message": "I look.",
              "tool_calls": [{"tool_call_id": "c1", "function_name": "look", "arguments": {"at": "it"}}],
              "observation": {"results": [{"source_call_id": "c1", "content": "It is there."}]}},
             {"step_id": 3, "source": "agent", "message": said}]
    trajectory = {"schema_version": "ATIF-v1.7", "agent": {"name": "a", "version": "1"}, "steps": steps}
    return AgentTrialResult(task_name=name, trajectory=trajectory, **more)


def of_tasks(client):
    collection = client.create_collection(
        "Tasks", collection_type="AGENTIC",
        columns=[CollectionColumn(name="task"), CollectionColumn(name="instruction", column_type="raw_input")],
        variables=[{"task": task, "instruction": f"Please {task}."} for task in ("fix", "find")])
    criteria = client.create_criterion_set("Of agents", criteria=["Did it {{task}}?"])
    return {"prompt_template": None, "collection": collection, "criterion_set": criteria, "evaluation_mode": "AGENTIC"}


def agents(client, of):
    """Agents that ran elsewhere: their answers, what they did for them, and verdicts."""
    experiment = do(client.create_experiment, "Agents", **of)
    definition = do(client.get_agent_results_definition, experiment)
    assert [t.task_name for t in definition.tasks] == ["fix", "find"]
    assert definition.tasks[1].criteria[0].rendered_criterion_str == "Did it find?"
    assert do(experiment.get_agent_results_definition) == definition
    refs = [AgentTrialTaskRef(task_name="find"), AgentTrialTaskRef(task_name="lose")]
    preview = do(client.preview_agent_results_matching, experiment, refs)
    assert preview.matched == 1 and preview.results[0].task_id == definition.tasks[1].task_id
    assert preview.unmatched_results[0].reason and do(experiment.preview_agent_results_matching, refs) == preview
    error = fails(TaskMatchError, client.upload_agent_results, experiment, [trial("lose", "x")])
    assert [t.task_name for t in error.accepted_tasks] == ["fix", "find"]
    rating = {"criterion_id": definition.tasks[0].criteria[0].criterion_id, "rating": "YES", "reasoning": "It works."}
    sent = do(client.upload_agent_results, experiment, [
        trial("fix", "Fixed.", reward=0.5, cost_usd=0.25, duration_seconds=3, criterion_ratings=[rating]),
        trial("find", "Found."), AgentTrialResult(task_name="find", trajectory={"steps": []})])
    assert (sent.created_responses, sent.created_ratings, sent.pending_evaluations) == (2, 1, 1), sent
    assert len(sent.errors) == 2 and "trajectory dropped" in sent.errors[0]
    assert do(client.wait_for_agent_evaluation, experiment, sent.evaluation_task_id, timeout=60).is_success
    fixed, found = client.get_experiment(id=experiment.id).rated_responses
    assert fixed.response_str == "Fixed." and fixed.ratings[0].reasoning == "It works."
    assert '"reward":0.5' in fixed.annotation and fixed.generation_metadata.duration_seconds == 3
    assert [m.content for m in fixed.messages if getattr(m, "role", None) == "assistant"][-1] == "Fixed."
    assert found.response_str == "Found." and found.ratings
    again = do(experiment.upload_agent_results, [trial("fix", "Fixed.")], epoch=1, evaluate=False)
    assert again.created_responses == 0 and again.evaluation_task_id is None
    do(experiment.wait_for_evaluation, timeout=60)


def absences(client, of):
    """Nobody simulates whom a model talks to, and agents run elsewhere."""
    for more in ({"evaluation_mode": "MULTI_TURN", "persona_group_id": 1}, {"agent_config": {"a": 1}}):
        assert fails(APIError, client.create_experiment, "Absent", **of | more).status_code == 501


def defects(client, experiment):
    """What the SDK cannot do by itself fails in it, without a request of ours."""
    bare = client.get_experiment(id=experiment.id, fetch_responses=False)
    assert bare.results and isinstance(fails(IndexError, bare.print_results_summary), IndexError)
    note("defect: print_results_summary without responses", "IndexError in the SDK")
    coroutine = bare.afetch_responses()
    try:
        asyncio.run(coroutine)
    except AttributeError:
        note("defect: asynchronous methods of a blocking client's models", "AttributeError in the SDK")
    else:
        raise AssertionError("it works now")


# ---- Asynchronous ----

async def streamed(client, template, collection, criteria):
    """Progress as it comes."""
    seen, last = [], None
    async for event in client.stream_experiment(
            name="Streamed", prompt_template=template, collection=collection, criterion_set=criteria,
            polling_interval=0.1):
        seen.append(event.status)
        if event.progress:
            assert event.progress.total_responses == 2
        last = event
    assert last.status == TaskStatus.SUCCESS and last.is_complete and last.progress.rating_complete
    assert len(last.result.rated_responses) == 2 and last.result.results
    note(name_of(client.stream_experiment), f"{len(seen)} events")
    statuses = []
    async for event in client.stream_batch_rate(last.result.rated_responses, polling_interval=0.1):
        statuses.append(event)
    assert statuses[-1].is_success and [len(r) for r in statuses[-1].result] == [2, 2]
    note(name_of(client.stream_batch_rate), f"{len(statuses)} events")


async def revoked_stream(it):
    """What ends otherwise ends the stream as well."""
    it.control(latency_seconds=3600)
    async with AsyncClient(base_url=it.url) as client:
        last = None
        async for event in client.stream_experiment(
                name="Revoked stream", prompt_template=await client.get_prompt_template(name="Concept Explanation"),
                collection=await client.get_collection(name="Concepts"),
                llm_config=await client.get_llm_config(name="local"), polling_interval=0.1):
            last = event
            if not event.is_complete:
                it.cancel("Revoked stream")
    assert last.status == TaskStatus.REVOKED and last.is_failure, last
    it.control(latency_seconds=0)


async def aresources(client):
    template, created = await ado(client.get_or_create_prompt_template, "Async", "Say {{word}}.")
    assert created
    newer = await ado(template.anew_version, messages="Say {{word}} twice.")
    assert newer.version == 2 and len(await ado(newer.agenerate_criteria, delete_existing=True)) > 0
    assert not (await ado(newer.aget_or_generate_criteria))[1] and await ado(newer.alist_criteria)
    third = await ado(client.create_prompt_template, "Async 2", "Say {{word}}!")
    assert (await ado(client.get_prompt_template, name="Async 2")).id == third.id
    assert len(await ado(client.list_prompt_templates)) >= 2
    collection = await ado(client.create_collection, "Words", variables=[{"word": "yes"}])
    assert len(await ado(collection.aadd_many, [{"word": "no"}])) == 1
    assert (await ado(client.get_or_create_collection, "Words"))[1] is False
    assert len((await ado(client.get_collection, name="Words")).variables) == 2
    assert await ado(client.list_collections)
    scratch = await client.create_collection("Scratch", variables=[{"word": "x"}])
    assert (await ado(scratch.agenerate_variables, template)).input_values["word"]
    assert (await ado(scratch.aclear)).variables == []
    await ado(client.delete_collection, scratch)
    criteria, _ = await ado(client.get_or_create_criterion_set, "Async criteria")
    await ado(criteria.aadd_criterion, "Is it short?")
    await ado(criteria.aadd_criteria, ["Is it good?"])
    await ado(criteria.alink_template, third)
    await ado(criteria.aunlink_template, third)
    other = await ado(client.create_criterion_set, "Async other", criteria=["x?"])
    await ado(other.aclear)
    assert (await ado(client.get_criterion_set, id=other.id)).criteria == []
    assert await ado(client.list_criterion_sets)
    await ado(client.delete_criterion_set, other)
    await ado(client.delete_prompt_template, third)
    config = await ado(client.create_llm_config, "async", "m", "k", llm_base_url="http://127.0.0.1:9")
    assert (await ado(client.get_llm_config, name="async")).id == config.id
    assert not (await ado(client.get_or_create_llm_config, "async"))[1]
    await ado(client.delete_llm_config, config)
    return newer, collection, criteria


async def aelsewhere(client, template, collection, criteria):
    made = await ado(client.create_experiment, "Async elsewhere", template, collection, criterion_set=criteria)
    added = await ado(made.aadd_responses, ["Yes.", "No."], list(collection.variables))
    assert len(added) == 2 and [len(of) for of in await ado(made.arate_responses)] == [2, 2]


async def aagents(client):
    """The same again, which changes nothing; another answer to what is answered is none."""
    it = await client.get_experiment(name="Agents")
    refs = [AgentTrialTaskRef(task_name="find")]
    assert (await ado(it.aget_agent_results_definition)).tasks[0].task_name == "fix"
    assert await ado(client.get_agent_results_definition, it) == await it.aget_agent_results_definition()
    assert (await ado(it.apreview_agent_results_matching, refs)).matched == 1
    assert (await ado(client.preview_agent_results_matching, it, refs)).matched == 1
    sent = await ado(it.aupload_agent_results, [trial("find", "Found.")], evaluate=False)
    assert sent.created_responses == 0 and sent.errors == []
    try:
        await ado(client.upload_agent_results, it, [trial("find", "Found again.")])
    except ConflictError as error:
        assert "another answer" in str(error)
    await ado(client.upload_agent_results, it, [trial("find", "Found.")], evaluate=False)
    await ado(client.wait_for_agent_evaluation, it, timeout=60)
    await ado(it.await_for_evaluation, timeout=60)


async def aexperiments(client):
    template, collection, criteria = await aresources(client)
    collection = await client.get_collection(id=collection.id)
    made = await ado(client.create_experiment, "Async made", template, collection, criterion_set=criteria)
    clone = await ado(made.aclone, name="Async clone")
    run, _, _, _, _ = await asyncio.gather(
        ado(client.run_experiment, "Async run", template, collection, criterion_set=criteria),
        ado(made.arun), ado(clone.arun, n_epochs=2),
        aelsewhere(client, template, collection, criteria), streamed(client, template, collection, criteria))
    assert run.results and len(clone.rated_responses) == 4
    await ado(made.aretry_failed)
    listed = await ado(client.list_experiments)
    assert {"Async made", "Streamed"} <= {e.name for e in listed}
    await ado([e for e in listed if e.name == "Streamed"][0].afetch_responses)
    assert (await ado(client.get_experiment, name="Async run")).id == run.id
    assert await ado(client.list_comparison_samples, run, made)
    await ascenarios(client)
    await aagents(client)
    events = [event async for event in client.stream_agent_evaluation(made)]
    note(name_of(client.stream_agent_evaluation), f"{len(events)} events")
    await ado(client.delete_experiment, clone)


async def asynchronous(it):
    async with AsyncClient(base_url=it.url) as client:
        await ado(client.check_version)
        assert it.url in do(client.get_info)
        await aexperiments(client)
    by_hand = AsyncClient(base_url=it.url)
    assert await ado(by_hand.list_collections)
    await ado(by_hand.close)


# ---- All of it ----

def public(kind):
    return [name for name, value in vars(kind).items()
            if not name.startswith("_") and inspect.isfunction(inspect.unwrap(value) if callable(value) else value)
            and name not in ("fix_message_fields", "model_post_init")]


def check_table():
    missing = []
    for kind in (Client, AsyncClient, *RICH):
        shown = "TemplateVariablesCollectionWithEntries" if kind is Collection else kind.__name__
        for name in public(kind):
            if f"{shown}.{name}" not in table:
                missing.append(f"{shown}.{name}")
    for name in sorted(table):
        print(f"{name:60} {table[name]}")
    assert not missing, f"never called: {missing}"


def main():
    with front() as it:
        os.environ["ELLUMINATE_BASE_URL"] = it.url
        os.environ["ELLUMINATE_API_KEY"] = it.token("sdk")
        client = Client()
        template, collection, first = complete_example(client)
        collections(client)
        templates_and_criteria(client)
        config = configs(client, it.endpoint_url + "/v1")
        made = experiments(client, template, collection, first, config)
        revoked(client, it, template, collection, config)
        scenarios(client)
        errors(client, it)
        manual(it)
        of = of_tasks(client)
        agents(client, of)
        absences(client, of)
        defects(client, first)
        asyncio.run(asynchronous(it))
        asyncio.run(revoked_stream(it))
        check_table()


main()
