"""validate.py SCHEMA FILE...: the schema is one, the files are as it says, and files with mistakes are not."""

import copy
import json
import re
import sys

import jsonschema
import yaml


def read(path):
    with open(path) as file:
        text = file.read()
    if path.endswith(".yaml"):
        return yaml.load(text, yaml.CSafeLoader)  # as lenient as the command, which has libyaml, too
    return json.loads(re.sub(r'("(?:[^"\\]|\\.)*")|//[^\n]*', lambda m: m.group(1) or "", text))


def mistakes(good):
    """The same with one mistake each."""
    for change in (
        {"n_epoch": 1},
        {"n_epochs": "one"},
        {"n_epochs": 0},
        {"rating_mode": "slow"},
        {"project": "default"},
        {"name": ""},
        {"collection": {"name": "c", "rows": []}},
        {"llm_config": {"name": "l", "provider": "nobody", "llm_model_name": "m"}},
        {"prompt_template": {"messages": "no name"}},
        {"criteria": [{"check": {"kind": "equals"}}]},
    ):
        yield {**copy.deepcopy(good), **change}


with open(sys.argv[1]) as schema_file:
    schema = json.load(schema_file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for path in sys.argv[2:]:
    document = read(path)
    validator.validate(document)
    for bad in mistakes(document):
        if validator.is_valid(bad):
            sys.exit(f"{path}: nothing was found wrong in {bad}")
