"""tokens.py [URL]: what a model says, as it says it."""

import sys

from elluminated import Client, LLMConfig

CONFIG = (
    LLMConfig(name="local", provider="openai", llm_model_name="m", llm_base_url=sys.argv[1])
    if len(sys.argv) > 1
    else None
)

# Leaving the `with` before the end ends the call, and what it costs.
with Client() as daemon, daemon.call_stream(
    messages=[{"role": "user", "content": "Say something about the sea."}], llm_config=CONFIG
) as replies:
    for reply in replies:
        if reply.delta and reply.delta.text:
            print(reply.delta.text, end="", flush=True)
        elif reply.event and reply.event.result and reply.event.result.call:
            print(f"\n{reply.event.status}, {reply.event.result.call.usage.output_tokens} tokens")
