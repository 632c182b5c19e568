#!/bin/sh
# schema.sh PYTHON COMMAND SAMPLES: what `elluminate schema` prints is a JSON schema, all samples of
# experiment files and the one of `elluminate init` are as it says, and files with mistakes are not.
set -eu
python=$1 command=$2 samples=$3
if [ -z "${ELLU_TEST_ALL:-}" ]; then
	echo "ELLU_TEST_ALL is not set"
	exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/environment"
"$folder/environment/bin/pip" -q --disable-pip-version-check install jsonschema pyyaml
"$command" schema >"$folder/schema.json"
"$command" init "$folder/init.json" 2>/dev/null
"$folder/environment/bin/python" "$(dirname "$0")/validate.py" "$folder/schema.json" "$folder/init.json" \
	"$samples"/*.json "$samples"/*.yaml
