"""batch.py: one prompt over several collections, each made unless it is there, and what came of each.

What exists under another content is a Conflict, what does not is NotFound: here both are answered.
"""

import asyncio

from elluminated import AsyncClient, Conflict, NotFound, gather

CITIES = {
    "Capitals": ["Paris", "Lima", "Tokyo"],
    "Harbours": ["Rotterdam", "Hamburg"],
    "Mountains": ["Denver", "La Paz"],
}


async def main() -> None:
    async with AsyncClient() as daemon:
        for name, cities in CITIES.items():
            made = await daemon.get_or_create_collection(name, variables=[{"city": city} for city in cities])
            print(f"{name}: {'made' if made.created else 'is there'}, {made.collection.variables_count} rows")
        try:
            await daemon.create_collection("Capitals")
        except Conflict as conflict:
            print(f"Conflict: {conflict.resource_name} is collection {conflict.resource_id}")
        try:
            await daemon.get_collection("Villages")
        except NotFound as missing:
            print(f"NotFound: {missing.name}")

        tasks = await gather(
            [
                lambda name=name: daemon.run_experiment(
                    name=f"A visit to {name}",
                    prompt_template={"name": "Visit", "messages": "What is there to see in {{city}}?"},
                    collection=name,
                    criteria=["Is it about {{city}}?"],
                    update_existing=True,
                )
                for name in CITIES
            ],
            limit=2,
        )
        for task in tasks:
            print(f"{task.name}: {task.status}, {task.result.results.responses} answers")


asyncio.run(main())
