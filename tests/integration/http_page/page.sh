#!/bin/sh
# page.sh PYTHON DAEMON COMMAND ENDPOINT: installs what nobody here wrote into a folder of its own, and runs
# page_test.py with it.
set -eu
python=$1 daemon=$2 command=$3 endpoint=$4 here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${ELLU_TEST_ALL:-}" ]; then
	echo "ELLU_TEST_ALL is not set"
	exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install --no-compile --only-binary :all: \
	prometheus-client==0.23.1
npm --prefix "$folder" --no-audit --no-fund --loglevel=error install axe-core@4.11.0 >"$folder/npm.log" 2>&1 || {
	cat "$folder/npm.log" >&2
	exit 1
}
"$folder/venv/bin/python" -B "$here/page_test.py" "$daemon" "$command" "$endpoint" \
	"$folder/node_modules/axe-core/axe.min.js" "${ELLU_SCREENSHOTS:-$folder}"
