"""OpenAI's libraries for Python and JavaScript, unmodified, through the front's pass-through.

openai_test.py DAEMON COMMAND ENDPOINT-PROGRAM JAVASCRIPT-TEST
"""
import json
import os
import subprocess
import sys

import openai

from front import front

TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "How the weather is.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
HELLO = [{"role": "user", "content": "Say hello."}]


def fails(kind, status, param, call, **named):
    try:
        call(**named)
    except kind as error:
        assert error.status_code == status and error.param == param, (error, error.param)
        return error
    raise AssertionError(f"{named} did not fail")


def plain(client):
    models = client.models.list().data
    assert "local" in [model.id for model in models] and client.models.retrieve("local").owned_by == "openai"
    answer = client.chat.completions.create(
        model="local", messages=[{"role": "system", "content": "Be brief."}, *HELLO], temperature=0.5,
        stop=["never"], max_completion_tokens=100, seed=7, user="me", n=1)
    assert answer.choices[0].message.content and answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
              "additionalProperties": False}
    answer = client.chat.completions.create(model="local", messages=HELLO, response_format={
        "type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}})
    assert isinstance(json.loads(answer.choices[0].message.content)["a"], int)


def streamed(client, it):
    it.control(stream_chunk_bytes=40)
    chunks = list(client.chat.completions.create(model="local", messages=HELLO, stream=True,
                                                 stream_options={"include_usage": True}))
    it.control(stream_chunk_bytes=0)
    assert chunks[0].choices[0].delta.role == "assistant" and len({chunk.id for chunk in chunks}) == 1
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text and chunks[-2].choices[0].finish_reason == "stop" and chunks[-1].usage.completion_tokens > 0
    # What has to fit a schema is sent once it does.
    chunks = list(client.chat.completions.create(model="local", messages=HELLO, stream=True,
                                                 response_format={"type": "json_object"}))
    assert isinstance(json.loads(chunks[0].choices[0].delta.content), dict)


def tools(client, it):
    it.control(call_tools=True)
    asked = client.chat.completions.create(model="local", messages=HELLO, tools=TOOLS, tool_choice="required")
    assert asked.choices[0].finish_reason == "tool_calls"
    calls = asked.choices[0].message.tool_calls
    assert calls[0].function.name == "get_weather" and json.loads(calls[0].function.arguments)["city"]
    told = [*HELLO, asked.choices[0].message.model_dump(exclude_none=True),
            *({"role": "tool", "tool_call_id": call.id, "content": "Sunny."} for call in calls)]
    arguments, ids = "", set()
    for chunk in client.chat.completions.create(model="local", messages=HELLO, tools=TOOLS, stream=True):
        for delta in chunk.choices[0].delta.tool_calls or []:
            arguments += delta.function.arguments
            ids |= {delta.id} - {None}
    assert len(ids) == 1 and json.loads(arguments)["city"]
    it.control(call_tools=False)
    assert client.chat.completions.create(model="local", messages=told, tools=TOOLS).choices[0].message.content


def embeddings(client):
    many = [f"text number {n}" for n in range(70)]
    found = client.embeddings.create(model="local", input=many)
    assert [one.index for one in found.data] == list(range(70)) and found.usage.prompt_tokens > 0
    numbers = client.embeddings.create(model="local", input=many[3], encoding_format="float").data[0].embedding
    assert all(abs(a - b) < 1e-6 for a, b in zip(numbers, found.data[3].embedding, strict=True))
    fails(openai.BadRequestError, 400, "input", client.embeddings.create, model="local", input=[[1, 2]])


def errors(client, it):
    create = client.chat.completions.create
    error = fails(openai.NotFoundError, 404, "model", create, model="nowhere", messages=HELLO)
    assert error.code == "model_not_found"
    fails(openai.BadRequestError, 400, "n", create, model="local", messages=HELLO, n=2)
    error = fails(openai.BadRequestError, 400, "temperature", create, model="local", messages=HELLO, temperature=5)
    assert "generation_params" not in str(error)
    fails(openai.BadRequestError, 400, "messages[0].content[0]", create, model="local", messages=[
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]}])
    fails(openai.BadRequestError, 400, "temprature", create, model="local", messages=HELLO,
          extra_body={"temprature": 1})
    it.control(api_key="another")
    # The key that the provider refused is the daemon's, not the caller's.
    error = fails(openai.InternalServerError, 502, None, create, model="local", messages=HELLO)
    assert error.code == "BackendAuthentication"
    list_of = openai.OpenAI(base_url=it.url + "/v1", api_key="sk-of-somebody", max_retries=0).models.list
    fails(openai.AuthenticationError, 401, None, list_of)
    it.control(api_key="")


def cancelled(client, it):
    """Who stops listening ends the call at its provider."""
    before = it.stats()["closed_early"]
    tasks = it.follow()
    it.control(stream_delta_seconds=0.05, fixed_answer="word " * 2000)  # some minutes
    stream = client.chat.completions.create(model="local", messages=HELLO, stream=True)
    assert next(iter(stream)).choices[0].delta.role == "assistant"
    stream.close()
    next(reply for reply in tasks if reply.get("event", reply.get("task")).get("status") == "REVOKED")
    while it.stats()["closed_early"] == before:
        pass
    it.control(stream_delta_seconds=0, fixed_answer="")


def main():
    with front() as it:
        it.call("CreateLLMConfig", llm_config={
            "name": "local", "provider": "openai", "llm_model_name": "m", "max_retries": 0,
            "llm_base_url": it.endpoint_url + "/v1", "api_key": "sk-0123456789"})
        token = it.token("openai")
        client = openai.OpenAI(base_url=it.url + "/v1", api_key=token, max_retries=0)
        plain(client)
        streamed(client, it)
        tools(client, it)
        embeddings(client)
        errors(client, it)
        cancelled(client, it)
        # They are tasks like others, with what they took.
        assert len(it.call("ListTasks", kind="call")["items"]) >= 8
        subprocess.run(["node", sys.argv[4], it.url + "/v1", it.endpoint_url], check=True,
                       env=os.environ | {"OPENAI_API_KEY": token})


main()
