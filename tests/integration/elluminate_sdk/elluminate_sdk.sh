#!/bin/sh
# elluminate_sdk.sh PYTHON DAEMON COMMAND ENDPOINT-PROGRAM: the elluminate SDK and OpenAI's libraries for
# Python and JavaScript, installed into folders of their own and unmodified, beside the HTTP front.
set -eu
python=$1 daemon=$2 command=$3 endpoint=$4 here=$(dirname "$0")
if [ -z "${ELLU_TEST_ALL:-}" ]; then
	echo "ELLU_TEST_ALL is not set"
	exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/python"
"$folder/python/bin/pip" -q --disable-pip-version-check install --no-compile --only-binary :all: \
	elluminate==1.5.2 openai==3.54.0
npm --prefix "$folder/js" --silent --no-audit --no-fund --ignore-scripts install openai@5.23.2
cp "$here/openai_test.mjs" "$folder/js"
run()
{
	"$folder/python/bin/python" -B "$here/$1" "$daemon" "$command" "$endpoint" "$folder/js/openai_test.mjs"
}
run elluminate_test.py
run openai_test.py
