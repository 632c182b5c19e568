"""experiment.py [URL]: a prompt over three cases, judged by two criteria; progress, then the results.

Without the URL of an endpoint the simulated model answers.
"""

import sys

from elluminated import Client, ElluminateError

parts = {
    "name": "Haiku quality",
    "prompt_template": {"name": "Haiku", "messages": "Write a haiku about {{topic}}."},
    "collection": {"name": "Topics", "variables": [{"topic": t} for t in ("coffee", "rain", "the sea")]},
    "criteria": ["Is it a haiku of three lines?", "Is it about {{topic}}?"],
}
if len(sys.argv) > 1:
    parts["llm_config"] = {
        "name": "local",
        "provider": "openai",
        "llm_model_name": "m",
        "llm_base_url": sys.argv[1],
    }

try:
    with Client() as daemon:
        for event in daemon.run_experiment_stream(**parts, update_existing=True):
            if event.progress:
                print(f"{event.status} {event.progress.percent_complete:.0f} %")
        if not event.is_success:
            sys.exit(f"{event.status}: {event.error.message if event.error else ''}")
        results = event.result.results
        for criterion in results.criteria:
            print(f"{criterion.mean.yes:.0%}  {criterion.criterion}")
        print(f"success rate {results.success_rate.value:.0%}")
except (ElluminateError, OSError) as error:
    sys.exit(f"experiment.py: {error}")
