"""Inspect AI beside elluminate, over one simulated endpoint: see tests/bench/peers.

peers.py DAEMON COMMAND ENDPOINT-PROGRAM CASES CONNECTIONS
"""
import os
import sys
import tempfile
import time

from inspect_ai import Task, eval as evaluate
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

from front import front

LATENCY_SECONDS = 0.05
cases, connections = int(sys.argv[4]), int(sys.argv[5])
rows = [f"Say the number {n}." for n in range(cases)]


def inspect(url, model, key, folder):
    """Its own evaluation: generate, and look for a text in the answer."""
    os.environ["OPENAI_API_KEY"] = key
    task = Task(dataset=MemoryDataset([Sample(input=row, target="a") for row in rows]), solver=generate(),
                scorer=includes())
    began = time.monotonic()
    log = evaluate(task, model="openai/" + model, model_base_url=url, max_connections=connections,
                   model_args={"responses_api": False}, max_samples=connections, display="none", log_dir=folder)[0]
    took = time.monotonic() - began
    assert log.status == "success" and log.results.completed_samples == cases, log.error.message
    return took, log.results.scores[0].metrics["accuracy"].value


def elluminate(it):
    began = time.monotonic()
    task = it.call(
        "RunExperiment", name="peers", llm_config={"ref": {"name": "local"}},
        prompt_template={"content": {"name": "peers", "messages": [{"role": "user", "content": "{{q}}"}]}},
        collection={"content": {"name": "peers", "variables": [{"q": row} for row in rows]}},
        measures=[{"criterion_str": "Is there an a?", "check": {"kind": "contains", "value": "a"}}])["task"]
    took = time.monotonic() - began
    assert task["status"] == "SUCCESS" and task["result"]["results"]["responses"] == cases, task
    return took, task["result"]["results"]["mean_all_ratings"]["yes"]


def main():
    with front() as it, tempfile.TemporaryDirectory() as folder:
        it.control(latency_seconds=LATENCY_SECONDS)
        it.call("CreateLLMConfig", llm_config={
            "name": "local", "provider": "openai", "llm_model_name": "m", "max_connections": connections,
            "llm_base_url": it.endpoint_url + "/v1", "api_key": "sk-0123456789"})
        ideal = cases / connections * LATENCY_SECONDS
        print(f"{cases} cases, {connections} at a time, {LATENCY_SECONDS * 1000:.0f} ms each: {ideal:.2f} s at best")
        for name, (took, score) in (
                ("Inspect AI, alone", inspect(it.endpoint_url + "/v1", "m", "sk-0123456789", folder)),
                ("Inspect AI, through the front", inspect(it.url + "/v1", "local", it.token("peers"), folder)),
                ("elluminate", elluminate(it))):
            print(f"{name:32} {took:6.2f} s, {cases / took:7.1f} cases a second, {score:.0%} have an a")


main()
