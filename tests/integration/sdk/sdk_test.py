"""Providers' own libraries for Python beside the dialects: what they send for the same question is what
the golden data have (tests/samples/dialects), and they read what the simulated endpoint answers in
each dialect, and what the golden data say is answered.

sdk_test.py ENDPOINT-PROGRAM GOLDEN-FOLDER
"""
import base64
import http.server
import json
import struct
import subprocess
import sys
import tempfile
import threading
import urllib.request
import zlib

import anthropic
import botocore.config
import botocore.exceptions
import botocore.session
import cohere
import cohere.core.api_error
import google.auth.transport.requests
import google.genai
import openai
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.genai import errors as google_errors
from google.genai import types
from google.oauth2 import service_account

KEY = "sk-0123456789abcdef"
ACCESS, SECRET, SESSION = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2VjEXAMPLE//="
TEXT = "Words that are as many as a piece of a stream takes, and more."

# What libraries put into a request beside what was asked for, or leave to be said otherwise.
DIFFERENCES = {
    ("cohere", "stream"): "false is what it is without",
    ("gemini", "systemInstruction.role"): "whose it is, which nobody asks",
}


def start(program, setting="--api_key=" + KEY):
    process = subprocess.Popen([program, "--exit-with-parent", setting],
                               stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().split()[1]


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data)) as answer:
        return json.load(answer)


def message_of(event):
    """An event as Amazon's streams have it: its only member, framed."""
    (kind, payload), = event.items()
    failed = kind.endswith("Exception")
    headers = b"".join(
        struct.pack("!B", len(name)) + name + struct.pack("!BH", 7, len(value)) + value for name, value in (
            (b":exception-type" if failed else b":event-type", kind.encode()),
            (b":content-type", b"application/json"),
            (b":message-type", b"exception" if failed else b"event")))
    payload = json.dumps(payload).encode()
    head = struct.pack("!II", len(headers) + len(payload) + 16, len(headers))
    message = head + struct.pack("!I", zlib.crc32(head)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))


class Replay(http.server.BaseHTTPRequestHandler):
    """Answers each request with what the test wants to be read next."""
    answer = {}
    stream_type = None

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        events = self.answer.get("events")
        if events is None:
            kind, body = "application/json", json.dumps(self.answer["body"])
        elif self.stream_type:
            kind, body = self.stream_type, b"".join(message_of(event) for event in events)
        else:
            kind = "text/event-stream"
            body = "".join(("event: %s\n" % event["type"] if isinstance(event, dict) and "type" in event else "") +
                           "data: %s\n\n" % (event if isinstance(event, str) else json.dumps(event))
                           for event in events)
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(self.answer.get("status", 200))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if "type" in self.answer:
            self.send_header("x-amzn-ErrorType", self.answer["type"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


# Each takes a question as `calls.json` has it, and answers what came back as the golden data have it:
# text, tool_calls, finish_reason, input_tokens, output_tokens; or raises what the library raises.

class OpenAI:
    name = "openai"
    refused = openai.APIStatusError

    def __init__(self, base):
        self.client = openai.OpenAI(api_key=KEY, base_url=base + "/v1", max_retries=0)

    def ask(self, question, extra=None, stream=False):
        params = dict(question["params"])
        extra = dict(extra or {})
        if "top_k" in params:
            extra["top_k"] = params.pop("top_k")
        messages = [self.message(message) for message in question["messages"]]
        if question["tools"]:
            params["tools"] = [{"type": "function", "function": tool} for tool in question["tools"]]
        choice = question["tool_choice"]
        if choice:
            params["tool_choice"] = choice if choice in ("auto", "none", "required") else \
                {"type": "function", "function": {"name": choice}}
        if question["response_format"]:
            params["response_format"] = {"type": "json_schema", "json_schema": {
                "name": "answer", "schema": question["response_format"]}}
        if extra:
            params["extra_body"] = extra
        if stream:
            return self.read_stream(self.client.chat.completions.create(
                model="m", messages=messages, stream=True, stream_options={"include_usage": True}, **params))
        return self.read(self.client.chat.completions.create(model="m", messages=messages, **params))

    @staticmethod
    def message(message):
        made = {"role": message["role"], "content": message.get("content")}
        if "parts" in message:
            made["content"] = [
                {"type": "text", "text": part["text"]} if "text" in part else
                {"type": "image_url", "image_url": {
                    "url": "data:%s;base64,%s" % (part["image"]["media_type"], part["image"]["data"])}}
                for part in message["parts"]]
        if "tool_calls" in message:
            made["tool_calls"] = [{"id": call["id"], "type": "function", "function": {
                "name": call["name"], "arguments": call["arguments"]}} for call in message["tool_calls"]]
        if "tool_call_id" in message:
            made["tool_call_id"] = message["tool_call_id"]
        return made

    @staticmethod
    def read(answer):
        choice, usage = answer.choices[0], answer.usage
        calls = choice.message.tool_calls or []
        return {"text": choice.message.refusal or choice.message.content,
                "tool_calls": [(call.function.name, json.loads(call.function.arguments)) for call in calls],
                "finish": choice.finish_reason,
                "tokens": usage and (usage.prompt_tokens, usage.completion_tokens)}

    @staticmethod
    def read_stream(events):
        text, names, arguments, finish, tokens = "", [], "", None, None
        for event in events:
            if event.usage:
                tokens = (event.usage.prompt_tokens, event.usage.completion_tokens)
            for choice in event.choices:
                text += choice.delta.content or choice.delta.refusal or ""
                finish = choice.finish_reason or finish
                for call in choice.delta.tool_calls or []:
                    names += [call.function.name] if call.function.name else []
                    arguments += call.function.arguments or ""
        return {"text": text, "tool_calls": [(names[0], json.loads(arguments))] if names else [],
                "finish": finish, "tokens": tokens}


class Anthropic:
    name = "anthropic"
    refused = anthropic.APIStatusError

    def __init__(self, base):
        self.client = anthropic.Anthropic(api_key=KEY, base_url=base, max_retries=0)

    def ask(self, question, extra=None, stream=False):
        # The newest models take none of these, nor does their library know them.
        older = {name: value for name, value in question["params"].items() if name in
                 ("temperature", "top_p", "top_k")}
        params = {"max_tokens": question["params"].get("max_tokens", 4096)}
        if "stop" in question["params"]:
            params["stop_sequences"] = question["params"]["stop"]
        system = [{"type": "text", "text": message["content"]} for message in question["messages"]
                  if message["role"] == "system"]
        if system:
            params["system"] = system
        if question["tools"]:
            params["tools"] = [
                {("input_schema" if name == "parameters" else name): value for name, value in tool.items()}
                for tool in question["tools"]]
        choice = question["tool_choice"]
        if choice:
            params["tool_choice"] = {"auto": {"type": "auto"}, "required": {"type": "any"}}.get(
                choice, {"type": "tool", "name": choice})
        if question["response_format"]:
            params["output_config"] = {"format": {"type": "json_schema", "schema": question["response_format"]}}
        if "reasoning_effort" in question["params"]:
            params["output_config"] = {"effort": question["params"]["reasoning_effort"]}
        if older or extra:
            params["extra_body"] = {**older, **(extra or {})}
        messages = [self.message(message) for message in question["messages"] if message["role"] != "system"]
        if stream:
            with self.client.messages.stream(model="m", messages=messages, **params) as events:
                return self.read(events.get_final_message())
        return self.read(self.client.messages.create(model="m", messages=messages, **params))

    @staticmethod
    def message(message):
        if message["role"] == "tool":
            return {"role": "user", "content": [{
                "type": "tool_result", "tool_use_id": message["tool_call_id"], "content": message["content"]}]}
        if "parts" in message:
            return {"role": message["role"], "content": [
                {"type": "text", "text": part["text"]} if "text" in part else
                {"type": "image", "source": {"type": "base64", "media_type": part["image"]["media_type"],
                                             "data": part["image"]["data"]}}
                for part in message["parts"]]}
        if "tool_calls" not in message:
            return {"role": message["role"], "content": message["content"]}
        return {"role": message["role"], "content": [{"type": "text", "text": message["content"]}] + [
            {"type": "tool_use", "id": call["id"], "name": call["name"], "input": json.loads(call["arguments"])}
            for call in message["tool_calls"]]}

    @staticmethod
    def read(answer):
        usage = answer.usage
        cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0) if usage else 0
        return {"text": "".join(block.text for block in answer.content if block.type == "text"),
                "tool_calls": [(block.name, block.input) for block in answer.content if block.type == "tool_use"],
                "finish": {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length",
                           "model_context_window_exceeded": "length",
                           "tool_use": "tool_calls"}.get(answer.stop_reason, answer.stop_reason),
                "tokens": usage and getattr(usage, "output_tokens", None) is not None and
                          (usage.input_tokens + cached, usage.output_tokens)}


class Google:
    name = "gemini"
    refused = google_errors.APIError

    def __init__(self, base):
        self.client = google.genai.Client(api_key=KEY, http_options=types.HttpOptions(
            base_url=base, api_version="v1beta",  # the dialect's
            retry_options=types.HttpRetryOptions(attempts=1)))

    def ask(self, question, extra=None, stream=False):
        names = {"max_tokens": "max_output_tokens", "stop": "stop_sequences", "logprobs": "response_logprobs"}
        params = {names.get(name, name): value for name, value in question["params"].items()
                  if name not in ("verbosity", "reasoning_effort")}
        if "reasoning_effort" in question["params"]:
            params["thinking_config"] = types.ThinkingConfig(
                thinking_budget={"low": 1024}[question["params"]["reasoning_effort"]])
        system = [types.Part(text=message["content"]) for message in question["messages"]
                  if message["role"] == "system"]
        if system:
            params["system_instruction"] = system
        if question["tools"]:
            params["tools"] = [types.Tool(function_declarations=[types.FunctionDeclaration(
                name=tool["name"], description=tool.get("description"),
                parameters_json_schema=tool["parameters"]) for tool in question["tools"]])]
        choice = question["tool_choice"]
        if choice:
            named = choice not in ("auto", "required")
            params["tool_config"] = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(
                mode={"auto": "AUTO"}.get(choice, "ANY"), allowed_function_names=[choice] if named else None))
        if question["response_format"]:
            params["response_mime_type"] = "application/json"
            params["response_json_schema"] = question["response_format"]
        if extra:
            params.update(candidate_count=1, temperature=1, safety_settings=[])
        contents = []
        for message in question["messages"]:
            if message["role"] == "system":
                continue
            role = "model" if message["role"] == "assistant" else "user"
            if message["role"] == "tool" and contents[-1].parts[0].function_response:
                contents[-1].parts += self.parts(message, question)
            else:
                contents.append(types.Content(role=role, parts=self.parts(message, question)))
        arguments = {"model": "m", "contents": contents, "config": types.GenerateContentConfig(**params)}
        if stream:
            return self.read(list(self.client.models.generate_content_stream(**arguments)))
        return self.read([self.client.models.generate_content(**arguments)])

    @staticmethod
    def parts(message, question):
        if message["role"] == "tool":
            name = next(call["name"] for before in question["messages"] for call in before.get("tool_calls", [])
                        if call["id"] == message["tool_call_id"])
            return [types.Part(function_response=types.FunctionResponse(
                id=message["tool_call_id"], name=name, response={"output": message["content"]}))]
        if "parts" in message:
            return [types.Part(text=part["text"]) if "text" in part else
                    types.Part(inline_data=types.Blob(mime_type=part["image"]["media_type"],
                                                      data=part["image"]["data"]))
                    for part in message["parts"]]
        return [types.Part(text=message["content"])] + [
            types.Part(function_call=types.FunctionCall(id=call["id"], name=call["name"],
                                                        args=json.loads(call["arguments"])))
            for call in message.get("tool_calls", [])]

    @staticmethod
    def read(pieces):
        parts = [part for piece in pieces for candidate in piece.candidates or []
                 for part in (candidate.content and candidate.content.parts) or []]
        usage = pieces[-1].usage_metadata
        calls = [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]
        reasons = [candidate.finish_reason for piece in pieces for candidate in piece.candidates or []
                   if candidate.finish_reason]
        finish = {"STOP": "tool_calls" if calls else "stop", "MAX_TOKENS": "length",
                  "SAFETY": "content_filter"}.get(reasons[-1].name, reasons[-1].name) if reasons else \
            "content_filter" if pieces[-1].prompt_feedback else None
        return {"text": "".join(part.text for part in parts if part.text and not part.thought),
                "tool_calls": calls, "finish": finish,
                "tokens": usage and (usage.prompt_token_count,
                                     (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0))}


class Cohere:
    name = "cohere"
    refused = cohere.core.api_error.ApiError

    def __init__(self, base):
        self.client = cohere.ClientV2(api_key=KEY, base_url=base)

    def ask(self, question, extra=None, stream=False):
        names = {"top_p": "p", "top_k": "k", "stop": "stop_sequences"}
        params = {names.get(name, name): value for name, value in question["params"].items()
                  if name not in ("verbosity", "reasoning_effort")}
        if "reasoning_effort" in question["params"]:
            params["thinking"] = {"type": "enabled", "token_budget": 1024}
        choice = question["tool_choice"]
        if question["tools"]:
            params["tools"] = [{"type": "function", "function": tool} for tool in question["tools"]
                               if choice in ("auto", "required", None, tool["name"])]
        if choice and choice != "auto":
            params["tool_choice"] = "REQUIRED"
        if question["response_format"]:
            params["response_format"] = {"type": "json_object", "json_schema": question["response_format"]}
        params.update(extra or {}, request_options={"max_retries": 0})
        messages = [OpenAI.message(message) for message in question["messages"]]
        if stream:
            return self.read_stream(self.client.chat_stream(model="m", messages=messages, **params))
        return self.read(self.client.chat(model="m", messages=messages, **params))

    finishes = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls",
                "ERROR_TOXIC": "content_filter"}

    @classmethod
    def read(cls, answer):
        message, usage = answer.message, answer.usage
        return {"text": (message.tool_plan or "") +
                        "".join(block.text for block in message.content or [] if block.type == "text"),
                "tool_calls": [(call.function.name, json.loads(call.function.arguments))
                               for call in message.tool_calls or []],
                "finish": cls.finishes.get(answer.finish_reason, answer.finish_reason),
                "tokens": usage and (usage.tokens.input_tokens, usage.tokens.output_tokens)}

    @classmethod
    def read_stream(cls, events):
        text, name, arguments, finish, tokens = "", None, "", None, None
        for event in events:
            message = getattr(getattr(event, "delta", None), "message", None)
            if event.type == "tool-plan-delta":
                text += message.tool_plan
            elif event.type == "content-delta":
                text += message.content.text
            elif event.type == "tool-call-start":
                name = message.tool_calls.function.name
            elif event.type == "tool-call-delta":
                arguments += message.tool_calls.function.arguments
            elif event.type == "message-end":
                finish = cls.finishes.get(event.delta.finish_reason, event.delta.finish_reason)
                usage = event.delta.usage
                tokens = usage and (usage.tokens.input_tokens, usage.tokens.output_tokens)
        return {"text": text, "tool_calls": [(name, json.loads(arguments))] if name else [],
                "finish": finish, "tokens": tokens}


class Bedrock:
    """Amazon's, which signs its requests."""
    name = "bedrock"
    key = ":".join((ACCESS, SECRET, SESSION))
    refused = botocore.exceptions.ClientError

    def __init__(self, base):
        self.client = botocore.session.get_session().create_client(
            "bedrock-runtime", region_name="eu-west-1", endpoint_url=base, aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET, aws_session_token=SESSION,
            config=botocore.config.Config(retries={"total_max_attempts": 1}))

    def ask(self, question, extra=None, stream=False):
        names = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP", "stop": "stopSequences"}
        config = {names[name]: value for name, value in question["params"].items() if name in names}
        extra = dict(extra or {})
        config.update(extra.pop("inferenceConfig", {}))
        params = {"inferenceConfig": config} if config else {}
        params.update(extra)
        system = [{"text": message["content"]} for message in question["messages"] if message["role"] == "system"]
        if system:
            params["system"] = system
        tools, choice = question["tools"], question["tool_choice"]
        if question["response_format"]:
            tools = [{"name": "answer", "description": "Gives the answer.", "parameters": question["response_format"]}]
            choice = "answer"
        if tools:
            params["toolConfig"] = {"tools": [{"toolSpec": {
                ("inputSchema" if name == "parameters" else name): {"json": value} if name == "parameters" else value
                for name, value in tool.items()}} for tool in tools]}
        if choice:
            params["toolConfig"]["toolChoice"] = {"auto": {"auto": {}}, "required": {"any": {}}}.get(
                choice, {"tool": {"name": choice}})
        messages = []
        for message in question["messages"]:
            role = "assistant" if message["role"] == "assistant" else "user"
            if message["role"] == "system":
                continue
            if messages and messages[-1]["role"] == role:
                messages[-1]["content"] += self.blocks(message)
            else:
                messages.append({"role": role, "content": self.blocks(message)})
        if stream:
            return self.read_stream(self.client.converse_stream(modelId="m", messages=messages, **params)["stream"])
        return self.read(self.client.converse(modelId="m", messages=messages, **params))

    @staticmethod
    def blocks(message):
        if message["role"] == "tool":
            return [{"toolResult": {"toolUseId": message["tool_call_id"], "content": [{"text": message["content"]}]}}]
        if "parts" in message:
            return [{"text": part["text"]} if "text" in part else
                    {"image": {"format": part["image"]["media_type"].split("/")[1],
                               "source": {"bytes": base64.b64decode(part["image"]["data"])}}}
                    for part in message["parts"]]
        return [{"text": message["content"]}] + [
            {"toolUse": {"toolUseId": call["id"], "name": call["name"], "input": json.loads(call["arguments"])}}
            for call in message.get("tool_calls", [])]

    finishes = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls",
                "content_filtered": "content_filter", "guardrail_intervened": "content_filter"}

    @classmethod
    def made(cls, text, calls, reason, usage):
        return {"text": text, "tool_calls": calls, "finish": cls.finishes.get(reason, reason),
                "tokens": usage and (usage["inputTokens"] + usage.get("cacheReadInputTokens", 0) +
                                     usage.get("cacheWriteInputTokens", 0), usage["outputTokens"])}

    @classmethod
    def read(cls, answer):
        content = answer["output"]["message"]["content"]
        return cls.made("".join(block.get("text", "") for block in content),
                        [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in content
                         if "toolUse" in block], answer["stopReason"], answer.get("usage"))

    @classmethod
    def read_stream(cls, events):
        text, calls, reason, usage = "", [], None, None
        for event in events:
            (kind, data), = event.items()
            if kind == "contentBlockStart":
                calls.append([data["start"]["toolUse"]["name"], ""])
            elif kind == "contentBlockDelta":
                text += data["delta"].get("text", "")
                if "toolUse" in data["delta"]:
                    calls[-1][1] += data["delta"]["toolUse"]["input"]
            elif kind == "messageStop":
                reason = data["stopReason"]
            elif kind == "metadata":
                usage = data.get("usage")
        return cls.made(text, [(name, json.loads(arguments or "{}")) for name, arguments in calls], reason, usage)


LIBRARIES = (OpenAI, Anthropic, Bedrock, Google, Cohere)
failures = []


def check(what, expected, found):
    if expected != found:
        failures.append("%s: expected\n  %s\nfound\n  %s" % (what, expected, found))


def flat(call):
    """A question of `calls.json`, its config's parameters among its own."""
    config = call.get("llm_config", {}).get("content", {})
    params = {name: value for name, value in {**config, **call.get("generation_params", {})}.items()
              if name != "system_message"}
    system = [{"role": "system", "content": config["system_message"]}] if "system_message" in config else []
    return {"messages": system + call["messages"], "params": params, "tools": call.get("tools", []),
            "tool_choice": call.get("tool_choice"), "response_format": call.get("response_format")}


def differences(expected, found, place=""):
    """Places where one has what the other has not, or otherwise."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted(expected.keys() | found.keys()):
            yield from differences(expected.get(name), found.get(name), place + "." * bool(place) + name)
    elif expected != found:
        yield place, expected, found


def camel(value):
    """As Google writes names of fields, of which either way will do; an object without any is none."""
    if isinstance(value, list):
        return [camel(element) for element in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for name, member in value.items():
        head, *tail = name.split("_")
        name = head + "".join(word.capitalize() for word in tail)
        if name == "data":
            member = member.translate({ord("-"): "+", ord("_"): "/"})  # the other base64
        made[name] = member if name in ("parametersJsonSchema", "responseJsonSchema", "args", "response") else \
            camel(member)
    return {name: member for name, member in made.items() if (name, member) != ("generationConfig", {})}


def check_requests(library, golden, calls, base):
    asked = library(base)
    for name, call in calls.items():
        wanted = golden["requests"][name]
        asked.ask(flat(call), wanted.get("extra_body"), stream=name == "stream")
        sent = json.loads(ask(base + "/requests?last=1")["requests"][0]["body"])
        if library is Google:
            sent = camel(sent)
        for place, expected, found in differences(wanted["body"], sent):
            if (library.name, place) not in DIFFERENCES:
                check("%s sends for %s as %s" % (library.name, name, place), expected, found)


def check_golden_answers(library, golden, base):
    asked = library(base)
    question = flat({"messages": [{"role": "user", "content": "Hi"}]})
    for name, answer in golden["answers"].items():
        then, stream = answer["then"], "events" in answer
        Replay.answer, Replay.stream_type = answer, golden.get("stream_type")
        what = "%s reads %s" % (library.name, name)
        if "class" in then:
            try:
                read = asked.ask(question, stream=stream)
                if answer.get("status", 200) >= 300:
                    failures.append(what + ": no error but " + str(read))
            except library.refused as error:
                if answer.get("status", 200) >= 300 and then["message"][:20] not in str(error):
                    failures.append("%s: %s" % (what, error))
            except Exception as error:  # an answer that is none
                if answer.get("status", 200) >= 300:
                    failures.append("%s: %r" % (what, error))
            continue
        read = asked.ask(question, stream=stream)
        finish = "stop" if then["finish_reason"] == "refusal" and library is OpenAI else then["finish_reason"]
        check(what, (then.get("text", ""), finish), (read["text"] or "", read["finish"]))
        check(what, [(call["name"], json.loads(call["arguments"])) for call in then.get("tool_calls", [])],
              read["tool_calls"])
        if "output_tokens" in then:
            check(what, (then["input_tokens"], then["output_tokens"]), read["tokens"])


def key_of(library):
    return getattr(library, "key", KEY)


def check_simulated(library, calls, base):
    asked = library(base)
    text, tools = flat(calls["text"]), flat(calls["tools"])
    for settings, question, finish in (
            ({"fixed_answer": TEXT}, text, ("stop",)),
            ({"fixed_answer": TEXT, "finish": "length"}, text, ("length",)),
            ({"fixed_answer": TEXT, "finish": "filter"}, text, ("content_filter", "refusal")),
            ({"fixed_answer": TEXT, "finish": "refusal"}, text, ("stop", "refusal")),
            ({"call_tools": True, "finish": None}, tools, ("tool_calls",))):
        ask(base + "/control", settings)
        for stream in (False, True):
            read = asked.ask(question, stream=stream)
            what = "%s reads the simulated endpoint's, %s" % (library.name, settings)
            if question is tools:
                check(what, "weather", read["tool_calls"][0][0])
            else:
                check(what, TEXT, read["text"])
            if read["finish"] not in finish:
                check(what, finish, read["finish"])
            if not read["tokens"] or read["tokens"][0] <= 0:
                check(what, "counts of tokens", read["tokens"])
    ask(base + "/control", {"call_tools": False, "fixed_answer": None})
    for settings, status in (({"api_key": "another:key"}, (401, 400, 403)), ({"api_key": key_of(library), "model": "n"}, (404,)),
                             ({"model": None, "error_500_rate": 1}, (500,)),
                             ({"error_500_rate": 0, "content_filter_rate": 1}, (400,))):
        ask(base + "/control", settings)
        try:
            failures.append("%s: no error but %s" % (library.name, asked.ask(text)))
        except library.refused as error:
            code = getattr(error, "status_code", None) or getattr(error, "code", None) or \
                error.response["ResponseMetadata"]["HTTPStatusCode"]
            if code not in status:
                check("%s with %s" % (library.name, settings), status, code)
    ask(base + "/control", {"content_filter_rate": 0})


def check_batches(base):
    """Batches of the simulated endpoint: given, looked at, listed, read and deleted by both libraries."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}
    ask(base + "/control", {"api_key": KEY, "fixed_answer": TEXT})
    client = OpenAI(base).client
    item = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    file = client.files.create(file=("a.jsonl", json.dumps(item).encode() + b"\n"), purpose="batch")
    made = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                 completion_window="24h", metadata={"elluminate": "mark"})
    batch = client.batches.retrieve(made.id)
    check("openai: a batch", ("completed", 1, file.id, {"elluminate": "mark"}),
          (batch.status, batch.request_counts.completed, batch.input_file_id, batch.metadata))
    check("openai: batches", [made.id], [each.id for each in client.batches.list()])
    line = json.loads(client.files.content(batch.output_file_id).text)
    check("openai: a batch's result", ("a", TEXT),
          (line["custom_id"], line["response"]["body"]["choices"][0]["message"]["content"]))
    check("openai: files deleted", [True, True],
          [client.files.delete(each).deleted for each in (file.id, batch.output_file_id)])
    client = Anthropic(base).client.messages.batches
    made = client.create(requests=[{"custom_id": "a", "params": body}])
    batch = client.retrieve(made.id)
    check("anthropic: a batch", ("ended", 1), (batch.processing_status, batch.request_counts.succeeded))
    check("anthropic: batches", [made.id], [each.id for each in client.list()])
    check("anthropic: a batch's result", [("a", TEXT)],
          [(each.custom_id, each.result.message.content[0].text) for each in client.results(made.id)])
    check("anthropic: a batch deleted", made.id, client.delete(made.id).id)
    check("what is left of batches", 0, ask(base + "/stats")["batch_kept"])


def check_account(program):
    """A service account's key, as Google's own library exchanges it for a token and sends that."""
    key = rsa.generate_private_key(65537, 2048)
    with tempfile.NamedTemporaryFile() as file:
        file.write(key.public_key().public_bytes(serialization.Encoding.PEM,
                                                 serialization.PublicFormat.SubjectPublicKeyInfo))
        file.flush()
        process, base = start(program, "--account_key=" + file.name)
        credentials = service_account.Credentials.from_service_account_info({
            "type": "service_account", "client_email": "me@p.example", "private_key_id": "k1",
            "private_key": key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                             serialization.NoEncryption()).decode(),
            "token_uri": base + "/token"}, scopes=["https://www.googleapis.com/auth/cloud-platform"])
        credentials.refresh(google.auth.transport.requests.Request())
        client = google.genai.Client(vertexai=True, project="p", location="l", credentials=credentials,
                                     http_options=types.HttpOptions(base_url=base, api_version="v1"))
        ask(base + "/control", {"fixed_answer": TEXT})
        check("vertex: an account's answer", TEXT, client.models.generate_content(model="m", contents="Hi").text)
        check("vertex: exchanges", 1, ask(base + "/stats")["exchanges"])
        process.terminate()


def main():
    process, base = start(sys.argv[1])
    folder = sys.argv[2]
    replay = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Replay)
    threading.Thread(target=replay.serve_forever, daemon=True).start()
    calls = json.load(open(folder + "/calls.json"))
    for library in LIBRARIES:
        golden = json.load(open("%s/%s.json" % (folder, library.name)))
        ask(base + "/control", {"api_key": key_of(library)})
        check_requests(library, golden, calls, base)
        check_golden_answers(library, golden, "http://127.0.0.1:%d" % replay.server_port)
        check_simulated(library, calls, base)
    check_batches(base)
    process.terminate()
    check_account(sys.argv[1])
    for failure in failures:
        print(failure)
    sys.exit(bool(failures))


main()
