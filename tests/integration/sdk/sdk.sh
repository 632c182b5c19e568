#!/bin/sh
# sdk.sh PYTHON ENDPOINT-PROGRAM GOLDEN-FOLDER: the providers' own libraries, installed into an environment
# of their own, beside the dialects (sdk_test.py).
set -eu
python=$1 endpoint=$2 golden=$3 here=$(dirname "$0")
if [ -z "${ELLU_TEST_ALL:-}" ]; then
	echo "ELLU_TEST_ALL is not set"
	exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder"
"$folder/bin/pip" -q --disable-pip-version-check install --no-compile --only-binary :all: \
	openai==3.54.0 anthropic==2.12.0 google-genai==3.4.0 cohere==7.3.1 botocore==1.44.5
"$folder/bin/python" -B "$here/sdk_test.py" "$endpoint" "$golden"
