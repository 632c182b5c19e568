"""tools.py URL [QUESTION]: a model that calls functions of the program, several at once where it wants to."""

import sys

from elluminated import Client, LLMConfig


def temperature(city: str) -> dict[str, object]:
    print(f"temperature of {city}")
    return {"city": city, "celsius": 21}


with Client() as daemon:
    answer = daemon.call_with_tools(
        {"temperature": temperature},
        messages=sys.argv[2] if len(sys.argv) > 2 else "Do I need a coat in Oslo?",
        tools=[
            {
                "name": "temperature",
                "description": "How warm it is in a city now.",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            }
        ],
        llm_config=LLMConfig(name=sys.argv[1], provider="openai", llm_model_name="m", llm_base_url=sys.argv[1]),
    )
    print(answer.result.call.text if answer.is_success else answer.error.message)
