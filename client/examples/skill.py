"""skill.py [TOPIC]: an answer that is judged before it is used, and asked for again while it is not valid."""

import sys

from elluminated import Client

EVALUATORS = {
    "Brief enough": "How brief is this, where one short sentence is best? {{response}}",
    "Friendly enough": "How friendly is this? {{response}}",
}

with Client() as daemon:
    for name, prompt in EVALUATORS.items():
        daemon.get_or_create_evaluator(name, prompt=prompt)
    # The second one is only observed: its threshold is 0.
    daemon.get_or_create_skill(
        "Greeting",
        prompt="Welcome somebody who asks about {{topic}}, in one sentence.",
        validators=[
            {"evaluator": {"name": "Brief enough"}, "threshold": 0.3},
            {"evaluator": {"name": "Friendly enough"}},
        ],
    )
    task = daemon.run_skill("Greeting", variables={"topic": sys.argv[1] if len(sys.argv) > 1 else "tea"}, until_valid=2)
    skill = task.result.skill
    print(f"{skill.response}\nvalid: {'yes' if skill.validation.is_valid else 'no'}, after {skill.answers} answers")
    for validator in skill.validation.validator_results:
        print(f"{validator.evaluator_name}: {validator.status}, {validator.result} of {validator.threshold}")
