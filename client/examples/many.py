"""many.py [URL]: twenty experiments, at most five at a time, on an event loop."""

import asyncio
import sys

from elluminated import AsyncClient, LLMConfig, gather

CONFIG = (
    LLMConfig(name="local", provider="openai", llm_model_name="m", llm_base_url=sys.argv[1])
    if len(sys.argv) > 1
    else None
)


async def main() -> None:
    async with AsyncClient() as daemon:

        async def run(number: int) -> str:
            task = await daemon.run_experiment(
                name=f"Poem {number}",
                prompt_template={"name": f"Poem {number}", "messages": f"Poem {number} about {{{{topic}}}}."},
                collection={"name": "Topics of many.py", "variables": [{"topic": "rain"}, {"topic": "sea"}]},
                criteria=["Does it rhyme?"],
                llm_config=CONFIG,
                update_existing=True,
            )
            print(f"{task.name}  {task.status}")
            return task.status

        statuses = await gather([lambda n=n: run(n) for n in range(1, 21)], limit=5)
        print(f"{statuses.count('SUCCESS')} of {len(statuses)} succeeded")


asyncio.run(main())
