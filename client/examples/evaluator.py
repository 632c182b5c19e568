"""evaluator.py [URL]: an evaluator by its name, asked for many scores by a pool of threads, then on a loop."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

from elluminated import AsyncClient, Client, LLMConfig, Task, gather

ANSWERS = [
    "You could have read the manual.",
    "I am glad that you ask; let us look at it together.",
    "No.",
    "Thank you for waiting! It is on its way.",
]
JUDGE = (
    LLMConfig(name="Judge of answers", provider="openai", llm_model_name="m", llm_base_url=sys.argv[1])
    if len(sys.argv) > 1
    else None
)


def score(task: Task) -> float | None:
    """A score that could not be had is None, never 0."""
    return task.result.evaluation.score if task.result and task.result.evaluation else None


def from_threads() -> list[float | None]:
    with Client() as daemon, ThreadPoolExecutor(4) as pool:
        daemon.get_or_create_evaluator("Politeness of answers", prompt="How polite is this answer?\n\n{{response}}")
        tasks = [
            pool.submit(daemon.run_evaluator, "Politeness of answers", response=answer, llm_config=JUDGE)
            for answer in ANSWERS
        ]
        return [score(task.result()) for task in tasks]


async def on_a_loop() -> list[float | None]:
    async with AsyncClient() as daemon:
        tasks = await gather(
            [
                lambda answer=answer: daemon.run_evaluator("Politeness of answers", response=answer, llm_config=JUDGE)
                for answer in ANSWERS
            ]
        )
        return [score(task) for task in tasks]


by_threads, by_loop = from_threads(), asyncio.run(on_a_loop())
for answer, first, second in zip(ANSWERS, by_threads, by_loop):
    print(f"{first}  {second}  {answer}")
print(f"{sum(s is not None for s in by_threads)} scored by threads, {sum(s is not None for s in by_loop)} on a loop")
